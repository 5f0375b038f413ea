package ingest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"

	"cairn/internal/fault"
	"cairn/internal/problem"
)

// Client sends events to a cairn, over the network or, with a transport that answers itself, within the process.
type Client struct {
	HTTP *http.Client
	Base string // such as http://127.0.0.1:8080
	Pack bool   // with zstd, where the network is slower than the processor
}

// Send implements Sender.
func (c Client) Send(ctx context.Context, ndjson []byte) error {
	body := ndjson
	if c.Pack {
		packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		body = packer.EncodeAll(ndjson, nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Base, "/")+Path, bytes.NewReader(body))
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the address of cairn")
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if c.Pack {
		req.Header.Set("Content-Encoding", string(zstded))
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return problem.Unreachable(c.Base, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return problem.Read(resp)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the answer of cairn")
	}
	return nil
}
