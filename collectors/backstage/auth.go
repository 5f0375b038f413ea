package backstage

import (
	"net/http"
	"strings"

	"cairn/internal/rest"
)

// NewCredential makes the credential of a connection: the token, for requests to its own host alone. Errors are fault.Invalid.
func NewCredential(cfg Config, base http.RoundTripper) (*rest.Credential, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, _ := addressOf(cfg.URL) // checked
	return rest.Bearer(strings.TrimSpace(cfg.Token), at, base), nil
}
