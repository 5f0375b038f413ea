package ingest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"cairn/internal/store"
)

// salt is the secret of this installation that makes hashes of respondents worthless to whoever lacks it. It is made
// once, when the first respondent comes, and kept in the table installation.
type salt struct {
	store *store.Store
}

const saltName = "respondent_salt"

// settle is how long the maker of a salt waits before it reads which one counts, so that another process that found
// none at the same moment has written its own by then.
const settle = 250 * time.Millisecond

// read returns the salt. It asks the store each time: surveys are rare, and so no process can go on with a salt that
// is not the one that counts.
func (s salt) read(ctx context.Context) ([]byte, error) {
	key, err := s.stored(ctx)
	if err != nil || key != nil {
		return key, err
	}
	if err := s.create(ctx); err != nil {
		return nil, err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	key, err = s.stored(ctx)
	if err == nil && key == nil {
		err = fmt.Errorf("the %s that was just stored is not there", saltName)
	}
	return key, err
}

// stored returns the salt that counts, or nil when there is none. Of several, that with the highest version counts,
// which is also the one that the table keeps.
func (s salt) stored(ctx context.Context) ([]byte, error) {
	var text string
	err := s.store.QueryRow(ctx, "SELECT value FROM installation WHERE name = {name:String} ORDER BY version DESC, value LIMIT 1",
		store.Params{"name": saltName}).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != sha256.Size {
		return nil, fmt.Errorf("the %s in the table installation is damaged", saltName)
	}
	return key, nil
}

// create stores a new salt. Its version is the higher the earlier it was made: the first of several wins.
func (s salt) create(ctx context.Context) error {
	key := make([]byte, sha256.Size)
	rand.Read(key) // never fails
	b, err := s.store.Batch(s.store.Durable(ctx), "INSERT INTO installation (name, value, version)")
	if err != nil {
		return err
	}
	if err := b.Append(saltName, hex.EncodeToString(key), math.MaxUint64-uint64(time.Now().UnixNano())); err != nil {
		_ = b.Abort()
		return err
	}
	return b.Send()
}

// hidden is what is stored in place of a respondent.
func hidden(key []byte, respondent string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(respondent))
	return hex.EncodeToString(h.Sum(nil))
}
