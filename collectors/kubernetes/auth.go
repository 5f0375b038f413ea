package kubernetes

import (
	"net/http"
	"net/url"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"cairn/internal/fault"
)

// Where a pod finds its service account, and under which name the cluster's API. The token is replaced now and then, so
// it is read again; the name is one of those that the API's certificate is for.
const (
	podToken  = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	podCA     = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
	podServer = "https://kubernetes.default.svc"
)

// Credential is a round tripper that authenticates at one cluster and sends nothing anywhere else. An answer to a watch,
// which is many JSON values, is marked as that.
type Credential struct {
	server *url.URL
	there  http.RoundTripper
}

// NewCredential makes the credential of a connection. network sends; nil is a network of its own, with the certificates
// that the kubeconfig names. Errors are fault.Invalid.
func NewCredential(cfg Config, network http.RoundTripper) (*Credential, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	config, err := restConfig(cfg)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s: the cluster's address", cfg.Name)
	}
	c := &Credential{server: server}
	if network != nil {
		c.there, err = rest.HTTPWrappersForConfig(config, network)
	} else {
		c.there, err = rest.TransportFor(config)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s: kubeconfig", cfg.Name)
	}
	return c, nil
}

func restConfig(cfg Config) (*rest.Config, error) {
	if cfg.InCluster {
		if _, err := os.Stat(podToken); err != nil {
			return nil, fault.New(fault.Invalid, "in_cluster is set, but there is no %s: cairn does not run in a pod with a service account; set kubeconfig instead", podToken)
		}
		return &rest.Config{Host: podServer, BearerTokenFile: podToken, TLSClientConfig: rest.TLSClientConfig{CAFile: podCA}}, nil
	}
	kubeconfig, err := clientcmd.Load([]byte(cfg.Kubeconfig))
	if err != nil {
		return nil, fault.New(fault.Invalid, "kubeconfig cannot be read: %w", err)
	}
	if cfg.Context != "" && kubeconfig.Contexts[cfg.Context] == nil {
		return nil, fault.New(fault.Invalid, "kubeconfig has no context %q", cfg.Context)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*kubeconfig, cfg.Context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fault.New(fault.Invalid, "kubeconfig is of no use: %w", err)
	}
	return config, nil
}

// RoundTrip implements http.RoundTripper.
func (c *Credential) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.EqualFold(r.URL.Host, c.server.Host) || r.URL.Scheme != c.server.Scheme {
		return nil, fault.New(fault.Denied, "the cluster sends cairn on to %s, where its credential does not belong: set the cluster's own address in kubeconfig", r.URL.Host)
	}
	res, err := c.there.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusOK && r.URL.Query().Get("watch") != "" {
		res.Header.Set("Content-Type", "application/x-ndjson")
	}
	return res, err
}

// Server is the address of the cluster's API.
func (c *Credential) Server() string { return strings.TrimSuffix(c.server.String(), "/") }
