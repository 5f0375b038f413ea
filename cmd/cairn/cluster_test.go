package main

import (
	"strings"
	"testing"

	"cairn/collectors/kubernetes/kubernetestest"
)

func TestFromNothingToNumbersOfACluster(t *testing.T) {
	c := kubernetestest.New()
	t.Cleanup(c.Close)
	type object = kubernetestest.Object
	c.Put("platform.kratix.io/v1alpha1/promises", object{"metadata": object{"uid": "p", "name": "redis"}, "spec": object{"api": object{"spec": object{
		"group": "acme.com", "names": object{"plural": "caches"}, "versions": []any{object{"name": "v1", "served": true, "storage": true}},
	}}}})
	c.Put("acme.com/v1/caches", object{
		"metadata": object{"uid": "u1", "name": "cart", "namespace": "shop", "creationTimestamp": "2026-01-05T10:00:00Z", "labels": object{"team": "checkout"}},
		"status":   object{"conditions": []any{object{"type": "Reconciled", "status": "True", "lastTransitionTime": "2026-01-05T10:04:00Z"}}},
	})
	dir := folder(t)
	write(t, dir, "cairn.kubeconfig", c.Kubeconfig())
	out := must(t, dir, "connect", "kubernetes", "--cluster-name", "prod", "--kubeconfig", "file:cairn.kubeconfig")
	for _, want := range []string{"v1.33.1", "may read", "requests", "caches.acme.com", "cairn collect sources kubernetes"} {
		if !strings.Contains(out, want) {
			t.Errorf("connect does not say %q:\n%s", want, out)
		}
	}
	out = must(t, dir, "collect", "kubernetes")
	if !strings.Contains(out, "1 fact") {
		t.Errorf("collect does not say that it told a fact:\n%s", out)
	}
	if a := cairn(t, dir, "connect", "kubernetes", "--name", "other"); a.code != 2 || !strings.Contains(a.stderr, "kubeconfig") {
		t.Errorf("without a credential: exit code %d, %q", a.code, a.stderr)
	}
}
