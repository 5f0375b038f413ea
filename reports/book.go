package reports

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// book is what is remembered of mails and subscriptions, in the store.
//
// A mail is claimed before it is handed over. A claim is a row that the engine takes once: of several processes that
// claim the same attempt at once, the insert of one is kept and the others are dropped, by the insert's token. Each then
// reads whose row there is. An attempt without a known end is never followed by another: nobody can tell whether the
// server took that mail. Only an attempt that is known to have failed is.
type book struct{ store *store.Store }

// Steps of an attempt.
const (
	stepClaimed = "claimed"
	stepSent    = "sent"
	stepFailed  = "failed"  // certainly not taken by the server
	stepUnknown = "unknown" // the connection broke while the server had the mail
	stepSkipped = "skipped" // for good: too late, or nothing to say again
)

// mailKey is one mail. Team is "" for the organisation.
type mailKey struct{ Team, Week, Recipient string }

// mailState is what became of a mail.
type mailState struct {
	mailKey
	Attempts int    // that were begun
	Step     string // of the last one
	Owner    string
	Error    string
	First    time.Time // when the first attempt began
	At       time.Time
}

// settled says that no further attempt is to be made.
func (s mailState) settled() bool { return s.Attempts > 0 && s.Step != stepFailed }

// states are the mails since an instant, by key.
func (b book) states(ctx context.Context, since time.Time) (map[mailKey]mailState, error) {
	var rows []struct {
		Team      string    `ch:"team"`
		Week      string    `ch:"week"`
		Recipient string    `ch:"recipient"`
		Attempt   uint32    `ch:"attempt"`
		Step      string    `ch:"step"`
		Owner     string    `ch:"owner"`
		Error     string    `ch:"error"`
		At        time.Time `ch:"at"`
	}
	err := b.store.Select(ctx, &rows, `SELECT team, week, recipient, attempt, step, owner, error, at FROM report_mails
		WHERE (team, week, recipient) IN (SELECT team, week, recipient FROM report_mails WHERE at >= {since:DateTime64(6)})
		ORDER BY attempt, step != 'claimed', at`, store.Params{"since": since})
	if err != nil {
		return nil, err
	}
	all := map[mailKey]mailState{}
	for _, r := range rows {
		key := mailKey{r.Team, r.Week, r.Recipient}
		s := all[key]
		if s.Attempts == 0 {
			s.First = r.At.UTC()
		}
		s.mailKey, s.Attempts, s.Step, s.Owner, s.Error, s.At = key, int(r.Attempt), r.Step, r.Owner, r.Error, r.At.UTC()
		all[key] = s
	}
	return all, nil
}

// claim takes an attempt at a mail for an owner. It is false where another has it.
func (b book) claim(ctx context.Context, key mailKey, attempt int, owner string, now time.Time) (bool, error) {
	if err := b.write(ctx, key, attempt, stepClaimed, owner, "", now); err != nil {
		return false, err
	}
	var owners []struct {
		Owner string `ch:"owner"`
	}
	err := b.store.Select(ctx, &owners, `SELECT owner FROM report_mails WHERE team = {team:String} AND week = {week:String}
		AND recipient = {recipient:String} AND attempt = {attempt:UInt32} AND step = 'claimed'`,
		store.Params{"team": key.Team, "week": key.Week, "recipient": key.Recipient, "attempt": attempt})
	if err != nil {
		return false, err
	}
	return len(owners) == 1 && owners[0].Owner == owner, nil
}

// write adds a step of an attempt: once, however often and by whomever it is told.
func (b book) write(ctx context.Context, key mailKey, attempt int, step, owner, reason string, now time.Time) error {
	kind := "end"
	if step == stepClaimed {
		kind = step
	}
	token, err := json.Marshal([]any{key, attempt, kind})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(token)
	return b.store.Exec(b.store.Durable(ctx), `INSERT INTO report_mails (team, week, recipient, attempt, step, owner, error, at)
		SETTINGS insert_deduplicate = 1, insert_deduplication_token = '`+hex.EncodeToString(sum[:])+`'
		SELECT {team:String}, {week:String}, {recipient:String}, {attempt:UInt32}, {step:String}, {owner:String}, {error:String}, {at:DateTime64(6)}`,
		store.Params{"team": key.Team, "week": key.Week, "recipient": key.Recipient, "attempt": attempt, "step": step, "owner": owner, "error": reason, "at": now})
}

// mailed are the numbers of weeks as a team's mails told them last, before the mail about a week.
func (b book) mailed(ctx context.Context, team string, before Week) (map[string]numbers, error) {
	var rows []struct {
		Week    string `ch:"week"`
		Numbers string `ch:"numbers"`
	}
	err := b.store.Select(ctx, &rows, `SELECT week, argMax(numbers, (mailed_in, at)) AS numbers FROM report_numbers FINAL
		WHERE team = {team:String} AND mailed_in < {before:String} GROUP BY week`, store.Params{"team": team, "before": before.String()})
	if err != nil {
		return nil, err
	}
	all := map[string]numbers{}
	for _, r := range rows {
		var n numbers
		if err := json.Unmarshal([]byte(r.Numbers), &n); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the numbers of %s in report_numbers", r.Week)
		}
		all[r.Week] = n
	}
	return all, nil
}

// keep remembers the numbers that a mail tells.
func (b book) keep(ctx context.Context, team string, in Week, told map[string]numbers, now time.Time) error {
	for week, n := range told {
		text, err := json.Marshal(n)
		if err != nil {
			return err
		}
		err = b.store.Exec(b.store.Durable(ctx), `INSERT INTO report_numbers (team, mailed_in, week, numbers, at)
			SELECT {team:String}, {in:String}, {week:String}, {numbers:String}, {at:DateTime64(6)}`,
			store.Params{"team": team, "in": in.String(), "week": week, "numbers": string(text), "at": now})
		if err != nil {
			return err
		}
	}
	return nil
}

// States of a subscription.
const (
	subscribed   = "subscribed"
	unsubscribed = "unsubscribed"
)

// subscription is what someone decided about a team's mails.
type subscription struct {
	Team      string    `ch:"team"`
	Address   string    `ch:"address"`
	State     string    `ch:"state"`
	UpdatedAt time.Time `ch:"updated_at"`
}

// subscriptions are all that people decided by themselves.
func (b book) subscriptions(ctx context.Context) (list []subscription, err error) {
	err = b.store.Select(ctx, &list, "SELECT team, address, state, updated_at FROM report_subscriptions FINAL ORDER BY team, address", nil)
	return list, err
}

func (b book) decide(ctx context.Context, s subscription) error {
	return b.store.Exec(b.store.Durable(ctx), `INSERT INTO report_subscriptions (team, address, state, updated_at)
		SELECT {team:String}, {address:String}, {state:String}, {at:DateTime64(6)}`,
		store.Params{"team": s.Team, "address": s.Address, "state": s.State, "at": s.UpdatedAt})
}

// key is the secret that makes the links of mails unguessable. It is made once for an installation.
func (b book) key(ctx context.Context) ([]byte, error) {
	read := func() (string, error) {
		var text string
		err := b.store.QueryRow(ctx, "SELECT value FROM installation WHERE name = 'report_links' ORDER BY version DESC, value LIMIT 1", nil).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return "", nil
		}
		return text, err
	}
	text, err := read()
	if err == nil && text == "" {
		made := make([]byte, sha256.Size)
		rand.Read(made) // never fails
		// Of several that are made at once the first stays: it has the highest version.
		first := int64(1)<<62 - time.Now().UnixMicro()
		if err = b.store.Exec(b.store.Durable(ctx), "INSERT INTO installation (name, value, version) SELECT 'report_links', {value:String}, {version:UInt64}",
			store.Params{"value": hex.EncodeToString(made), "version": first}); err == nil {
			text, err = read()
		}
	}
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(text)
}

// pass is what a link of a mail allows.
type pass struct {
	Does    string    `json:"d"` // confirm or unsubscribe
	Team    string    `json:"t"`
	Address string    `json:"a"`
	Made    time.Time `json:"m,omitzero"`
}

// seal makes a pass unforgeable.
func seal(key []byte, p pass) string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts alone: it cannot happen
	}
	return base64.RawURLEncoding.EncodeToString(text) + "." + base64.RawURLEncoding.EncodeToString(mac(key, text))
}

// unseal reads a pass. Errors are fault.Denied.
func unseal(key []byte, token, does string) (pass, error) {
	denied := fault.New(fault.Denied, "this link is not one that a mail of this cairn had, or was cut off: copy the whole of it")
	body, sum, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	given, err2 := base64.RawURLEncoding.DecodeString(sum)
	if cmp.Or(err, err2) != nil || !hmac.Equal(given, mac(key, text)) {
		return pass{}, denied
	}
	var p pass
	if err := json.Unmarshal(text, &p); err != nil || p.Does != does {
		return pass{}, denied
	}
	return p, nil
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}
