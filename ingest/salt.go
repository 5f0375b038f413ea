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

	"cairn/internal/store"
)

// salt is the secret of this installation that makes hashes of respondents worthless to whoever lacks it. It is made
// once, when the first respondent comes, and kept in the table installation.
type salt struct {
	store *store.Store
}

const saltName = "respondent_salt"

// read returns the salt. It asks the store each time: surveys are rare.
func (s salt) read(ctx context.Context) ([]byte, error) {
	key, err := s.stored(ctx)
	if err != nil || key != nil {
		return key, err
	}
	if err := s.create(ctx); err != nil {
		return nil, err
	}
	key, err = s.stored(ctx)
	if err == nil && key == nil {
		err = fmt.Errorf("the %s that was just stored is not there", saltName)
	}
	return key, err
}

// stored returns the salt, or nil when there is none. Should there be several, the one counts that the table keeps.
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

// create stores a new salt unless there is one. Of several processes that do so at once, one wins: the engine refuses
// a second insert with the same token, silently. Replicated tables know tokens by themselves, others when told to.
func (s salt) create(ctx context.Context) error {
	var engine string
	err := s.store.QueryRow(ctx, "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'installation'", nil).Scan(&engine)
	if err != nil {
		return err
	}
	if engine == "ReplacingMergeTree" {
		if err := s.store.Exec(ctx, "ALTER TABLE installation MODIFY SETTING non_replicated_deduplication_window = 100", nil); err != nil {
			return err
		}
	}
	key := make([]byte, sha256.Size)
	rand.Read(key) // never fails
	return s.store.Exec(s.store.Durable(ctx), `INSERT INTO installation (name, value, version)
		SETTINGS insert_deduplicate = 1, insert_deduplication_token = 'respondent_salt'
		SELECT {name:String}, {value:String}, 1`, store.Params{"name": saltName, "value": hex.EncodeToString(key)})
}

// hidden is what is stored in place of a respondent.
func hidden(key []byte, respondent string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(respondent))
	return hex.EncodeToString(h.Sum(nil))
}
