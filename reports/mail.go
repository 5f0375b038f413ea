package reports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"cairn/internal/fault"
)

// Transport hands mails to a server.
type Transport interface {
	// Connect gets as far as a mail can be handed over.
	Connect(ctx context.Context) (Connection, error)
}

// Connection is one to the server that takes mails.
type Connection interface {
	// Send hands over one mail. maybe is true with an error after which the server may have the mail.
	Send(m *mail.Msg) (maybe bool, err error)
	Close()
}

type bySMTP struct{ cfg Config }

func smtpTransport(cfg Config) Transport { return bySMTP{cfg} }

// Connect implements Transport.
func (s bySMTP) Connect(ctx context.Context) (Connection, error) {
	c := s.cfg.SMTP
	options := []mail.Option{mail.WithPort(c.Port), mail.WithTimeout(c.Timeout)}
	switch c.TLS {
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case TLS:
		options = append(options, mail.WithSSL())
	case NoTLS:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if c.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(c.Password))
	}
	client, err := mail.NewClient(c.Host, options...)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the mail server %s", c.Host)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the mail server %s:%d", c.Host, c.Port)
	}
	return connection{client}, nil
}

type connection struct{ client *mail.Client }

// Close implements Connection.
func (c connection) Close() { _ = c.client.Close() }

// Send implements Connection. The server may have a mail when the connection broke after its last byte was on the way; an
// answer that refuses it is certain.
func (c connection) Send(m *mail.Msg) (maybe bool, err error) {
	err = c.client.Send(m)
	if err == nil {
		return false, nil
	}
	if m.IsDelivered() { // only what came after it failed
		return false, nil
	}
	sent, ok := errors.AsType[*mail.SendError](err)
	if !ok {
		return true, err
	}
	return sent.Reason == mail.ErrSMTPDataClose && sent.ErrorCode() == 0, err
}

// envelope is a report for one recipient.
type envelope struct {
	Report
	Recipient string
	Key       []byte
}

// mail makes the mail.
func (r *Reports) mail(e envelope, now time.Time) (*mail.Msg, error) {
	stop := r.cfg.BaseURL + "/reports/unsubscribe?token=" + seal(e.Key, pass{Does: "unsubscribe", Team: e.Team, Address: e.Recipient})
	l := letter{Report: e.Report, Unsubscribe: stop, Site: r.cfg.BaseURL, image: func(n Number) string {
		if draw(n.Chart) == nil {
			return ""
		}
		return "cid:" + cid(n)
	}}
	html, err := r.html(l)
	if err != nil {
		return nil, err
	}
	m, err := r.letter(e.Recipient, e.Subject(), now)
	if err != nil {
		return nil, err
	}
	m.SetMessageIDWithValue(r.messageID(e.Team, e.Week, e.Recipient))
	m.SetGenHeader("List-Id", "weekly reports <"+digest("list", e.Team)[:16]+"."+r.domain()+">")
	m.SetGenHeaderPreformatted("List-Unsubscribe", "<"+stop+">")
	m.SetListUnsubscribePost()
	m.SetGenHeader("Precedence", "list")
	m.SetBodyString(mail.TypeTextPlain, r.Text(e.Report, stop))
	m.AddAlternativeString(mail.TypeTextHTML, html)
	for _, n := range e.Numbers {
		if chart := draw(n.Chart); chart != nil {
			if err := m.EmbedReader(n.Metric+".png", bytes.NewReader(chart), mail.WithFileContentID(cid(n)), mail.WithFileContentType("image/png")); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

func cid(n Number) string { return n.Metric + "@cairn" }

// letter begins a mail of ours.
func (r *Reports) letter(to, subject string, now time.Time) (*mail.Msg, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(r.cfg.From); err != nil {
		return nil, err
	}
	if err := m.To(to); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the recipient")
	}
	m.Subject(plain(subject))
	m.SetDateWithValue(now)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	return m, nil
}

// messageID is the same for the same mail, however often it is made.
func (r *Reports) messageID(team string, week Week, recipient string) string {
	return "report." + week.String() + "." + digest("mail", team, recipient)[:32] + "@" + r.domain()
}

func digest(texts ...string) string {
	h := sha256.Sum256([]byte(fmt.Sprintf("%q", texts)))
	return hex.EncodeToString(h[:])
}

func (r *Reports) domain() string {
	a, err := netmail.ParseAddress(r.cfg.From)
	if err != nil {
		return "localhost"
	}
	return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
}
