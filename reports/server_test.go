package reports

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/jhillyerd/enmime/v2"
)

// The mail server of the tests is trusted as any other is: by the system's certificates, which are looked for once.
var certificate tls.Certificate

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "reports")
	if err != nil {
		panic(err)
	}
	if certificate, err = certify(filepath.Join(folder, "ca.pem")); err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", filepath.Join(folder, "ca.pem"))
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

func certify(path string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// mailbox is a real mail server that keeps what it takes. It wants STARTTLS and a login.
type mailbox struct {
	port int

	mu     sync.Mutex
	taken  []taken
	refuse error       // of each mail; nil takes them
	after  func() bool // called when a mail was taken: true breaks the connection before the answer
}

type taken struct {
	From, To string
	Raw      []byte
	*enmime.Envelope
}

func serveMail(t testing.TB) *mailbox {
	t.Helper()
	b := &mailbox{}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{box: b, conn: c}, nil }))
	s.Domain, s.TLSConfig, s.AllowInsecureAuth = "localhost", &tls.Config{Certificates: []tls.Certificate{certificate}}, false
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.port = l.Addr().(*net.TCPAddr).Port
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return b
}

func (b *mailbox) set(refuse error, after func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse, b.after = refuse, after
}

// mails are those taken since the last call.
func (b *mailbox) mails(t testing.TB) []taken {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.taken
	b.taken = nil
	for i := range list {
		e, err := enmime.ReadEnvelope(bytes.NewReader(list[i].Raw))
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range e.Errors {
			t.Errorf("the mail is not sound: %v", wrong)
		}
		list[i].Envelope = e
	}
	return list
}

type session struct {
	box      *mailbox
	conn     *smtp.Conn
	loggedIn bool
	from, to string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if _, secure := s.conn.TLSConnectionState(); !secure || user != "cairn" || password != "secret" {
			return errors.New("no")
		}
		s.loggedIn = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.loggedIn {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	refuse, after := s.box.refuse, s.box.after
	if refuse == nil {
		s.box.taken = append(s.box.taken, taken{From: s.from, To: s.to, Raw: raw})
	}
	s.box.mu.Unlock()
	if refuse == nil && after != nil && after() {
		s.conn.Conn().Close()
	}
	return refuse
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

var errBusy = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "come again later"}
