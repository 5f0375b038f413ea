package kubernetes_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/argocd"
	"cairn/collectors/flux"
	"cairn/collectors/kubernetes"
	"cairn/collectors/kubernetes/kubernetestest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

const applications = "argoproj.io/v1alpha1/applications"

// deployments are those that are known, by service and id.
func (r *reader) deployments() map[string]event.Deployment {
	all := map[string]event.Deployment{}
	for _, e := range kept(r.told) {
		if d, is := e.(*event.Deployment); is {
			all[d.Service+" "+d.ID] = *d
		}
	}
	return all
}

func TestARecordedApplicationTellsItsSyncs(t *testing.T) {
	c := newCluster(t)
	for _, o := range payload(t, "argocd", "live-api-applications.json") {
		c.Put(applications, o)
	}
	r := newReader(t, c)
	r.read()
	want := map[string]string{}
	for id, at := range map[string]string{"0": "2022-06-06T12:02:02Z", "1": "2022-06-06T12:05:32Z", "2": "2022-06-06T12:19:48Z", "3": "2022-06-06T12:20:13Z", "4": "2022-06-06T12:36:12Z"} {
		want["jenkins argocd:0b36312f-c7dc-4731-978c-8036a4414c78:"+id+":"+at] = at + " " + map[string]string{"0": "0.9.0", "1": "0.9.0", "2": "0.10.0", "3": "0.10.0", "4": "0.11.0"}[id]
	}
	got := map[string]string{}
	velero := 0
	for key, d := range r.deployments() {
		if d.Source != "argocd" || d.Status != "succeeded" {
			t.Errorf("%s: told by %s as %s, want as argocd does", key, d.Source, d.Status)
		}
		if d.Service == "jenkins" {
			got[key] = d.FinishedAt.Format(time.RFC3339) + " " + d.Version
		} else {
			velero++
			if len(d.Revisions) != 1 || d.Revisions[0].SHA != "ea8759964626a583667a2bfd08f334ec2070040a" {
				t.Errorf("%s carried %v", key, d.Revisions)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if velero != 10 { // ten syncs of one revision: which of them are redeploys is for the metrics to say
		t.Errorf("%d syncs of velero, want 10", velero)
	}
	told := len(r.told)
	r.restart()
	r.read()
	c.Forget()
	r.read()
	if len(r.told) != told {
		t.Errorf("%d facts are told again", len(r.told)-told)
	}
}

func TestANotificationAndTheClusterTellTheSameDeployments(t *testing.T) {
	body, err := os.ReadFile(sharedtest.Path(t, "payloads", "argocd", "notification", "001.body"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := argocd.DefaultConfig()
	cfg.URL, cfg.WebhookTokens = "https://argocd.acme.com/", []string{"x"}
	receiver, err := argocd.NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	heard, err := receiver.Hear(source.Delivery{Body: body})
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	for _, o := range payload(t, "argocd", "live-api-applications.json") {
		if o["metadata"].(object)["name"] == "jenkins" {
			c.Put(applications, o)
		}
	}
	r := newReader(t, c, func(k *kubernetes.Config) { k.ArgoCD.URL = cfg.URL })
	r.read()
	of := func(told []event.Event) map[string]event.Event {
		facts := kept(told)
		for _, e := range facts {
			d := e.(*event.Deployment)
			d.URL = strings.Replace(d.URL, "/applications//", "/applications/argocd/", 1) // the recorded template sent no namespace
			d.UpdatedAt, d.Environment, d.Target = time.Time{}, "", ""                    // nor a destination
		}
		return facts
	}
	if diff := cmp.Diff(of(heard.Facts), of(r.told)); diff != "" {
		t.Errorf("(-notified +watched):\n%s", diff)
	}
}

// synced is an application whose latest operation ended so, with a history of earlier ones.
func synced(phase string, minute int, history ...int) object {
	o := with(made("app-1", "shop"), "namespace", "argocd")
	at := func(minute int) string { return kubernetestest.At(epoch.Add(time.Duration(minute) * time.Minute)) }
	var entries []any
	for i, m := range history {
		entries = append(entries, object{"id": i, "revision": fmt.Sprintf("%040d", m), "deployStartedAt": at(m), "deployedAt": at(m)})
	}
	o["spec"] = object{"destination": object{"namespace": "shop"}, "source": object{"repoURL": "https://github.com/acme/deploy", "path": "shop"}}
	o["status"] = object{"history": entries, "operationState": object{
		"phase": phase, "startedAt": at(minute), "finishedAt": at(minute),
		"syncResult": object{"revision": fmt.Sprintf("%040d", minute)},
	}}
	return o
}

func TestAFailureThatWasOverwrittenIsTold(t *testing.T) {
	c := newCluster(t)
	c.Serve(applications)
	r := newReader(t, c)
	r.read()
	c.Put(applications, synced("Succeeded", 1, 1))
	c.Put(applications, synced("Failed", 2, 1))
	c.Put(applications, synced("Running", 3, 1))
	c.Put(applications, synced("Succeeded", 3, 1, 3)) // all of it between two turns
	r.read()
	got := map[string]int{}
	for _, d := range r.deployments() {
		got[d.Status]++
	}
	if diff := cmp.Diff(map[string]int{"succeeded": 2, "failed": 1}, got); diff != "" {
		t.Error(diff)
	}
	told := len(r.told)
	for i := range 50 { // the controller writes when it last compared
		o := synced("Succeeded", 3, 1, 3)
		o["status"].(object)["reconciledAt"] = kubernetestest.At(epoch.Add(time.Duration(10+i) * time.Minute))
		c.Put(applications, o)
		r.readOf("applications")
	}
	if len(r.told) != told {
		t.Errorf("%d facts are told though no sync came", len(r.told)-told)
	}
	c.Delete(applications, "app-1")
	r.read()
	if n := len(r.deployments()); n != 3 {
		t.Errorf("%d deployments after the application is gone, want 3", n)
	}
}

func TestAnObjectThatIsNotUnderstoodHoldsUpNoOther(t *testing.T) {
	c := newCluster(t)
	c.Put(applications, synced("Failed", 2, 1))
	odd := with(made("odd", "odd"), "namespace", "argocd")
	odd["spec"], odd["status"] = "?", object{"history": "none"}
	c.Put(applications, odd)
	r := newReader(t, c)
	r.read()
	if n := len(r.deployments()); n != 2 {
		t.Errorf("%d deployments, want 2", n)
	}
	if got := r.reports["deployments/applications.argoproj.io"].Rules["not understood"]; got.N != 1 || !strings.Contains(got.Example, "argocd/odd") {
		t.Errorf("told of what is not understood: %+v", got)
	}
}

func TestSecretsOfOtherSourcesAreRefused(t *testing.T) {
	for system, change := range map[string]func(*kubernetes.Config){
		"argocd": func(cfg *kubernetes.Config) { cfg.ArgoCD.Token = "x" },
		"flux":   func(cfg *kubernetes.Config) { cfg.Flux.WebhookSecrets = []string{"x"} },
	} {
		cfg := kubernetes.DefaultConfig()
		cfg.Kubeconfig = newCluster(t).Kubeconfig()
		change(&cfg)
		if _, err := kubernetes.New(cfg, nil, http.DefaultClient, ""); fault.KindOf(err) != fault.Invalid || err == nil || !strings.Contains(err.Error(), system) {
			t.Errorf("%s: got %v", system, err)
		}
	}
}

const (
	kustomizations = "kustomize.toolkit.fluxcd.io/v1/kustomizations"
	helmReleases   = "helm.toolkit.fluxcd.io/v2/helmreleases"
)

// reconciled is a Kustomization whose latest revision was reconciled at a minute.
func reconciled(revision string, minute int, status, reason string) object {
	o := with(made("kust-1", "web"), "namespace", "apps")
	at := kubernetestest.At(epoch.Add(time.Duration(minute) * time.Minute))
	o["status"] = object{
		"lastAppliedRevision": "main@sha1:" + revision, "lastAttemptedRevision": "main@sha1:" + revision,
		"conditions": []any{object{"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": at}},
	}
	return o
}

func TestWhatFluxReconcilesIsDeployed(t *testing.T) {
	first, second, third := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)
	c := newCluster(t)
	c.Serve(kustomizations)
	c.Put(helmReleases, func() object {
		o := with(made("helm-1", "podinfo"), "namespace", "apps")
		o["status"] = object{"history": []any{
			object{"version": 2, "status": "deployed", "chartVersion": "6.6.0", "lastDeployed": kubernetestest.At(seconds(120))},
			object{"version": 1, "status": "superseded", "chartVersion": "6.5.4", "lastDeployed": kubernetestest.At(seconds(60))},
		}}
		return o
	}())
	r := newReader(t, c, func(cfg *kubernetes.Config) { cfg.Environment = "production" })
	r.read()
	// All of it between two turns: the object keeps the latest alone.
	c.Put(kustomizations, reconciled(first, 1, "True", "ReconciliationSucceeded"))
	c.Put(kustomizations, reconciled(second, 2, "Unknown", "Progressing"))
	c.Put(kustomizations, reconciled(second, 3, "False", "HealthCheckFailed"))
	c.Put(kustomizations, reconciled(third, 4, "True", "ReconciliationSucceeded"))
	r.read()
	told := len(r.told)
	for i := range 20 { // every interval once more
		c.Put(kustomizations, reconciled(third, 10+10*i, "True", "ReconciliationSucceeded"))
		r.readOf("kustomizations")
	}
	if len(r.told) != told {
		t.Errorf("%d facts are told for reconciliations of the same revision", len(r.told)-told)
	}
	want := map[string]string{
		"web flux:prod:kust-1:" + first + ":deployed": "succeeded in production of prod by flux at 09:01",
		"web flux:prod:kust-1:" + second + ":failed":  "failed in production of prod by flux at 09:03",
		"web flux:prod:kust-1:" + third + ":deployed": "succeeded in production of prod by flux at 09:04",
		"podinfo flux:prod:helm-1:6.6.0:deployed":     "succeeded in production of prod by flux at 09:02",
		"podinfo flux:prod:helm-1:6.5.4:deployed":     "succeeded in production of prod by flux at 09:01",
	}
	got := map[string]string{}
	for key, d := range r.deployments() {
		got[key] = d.Status + " in " + d.Environment + " of " + d.Target + " by " + d.Source + " at " + d.FinishedAt.Format("15:04")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventOfFluxAndTheClusterTellTheSameDeployment(t *testing.T) {
	cfg := flux.DefaultConfig()
	cfg.Cluster, cfg.WebhookSecrets = "prod", []string{"0123456789abcdef0123456789abcdef"}
	receiver, err := flux.NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	heard, err := receiver.Hear(source.Delivery{Body: []byte(`{"involvedObject":{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","name":"podinfo","namespace":"apps","uid":"helm-1"},
		"severity":"info","timestamp":"` + kubernetestest.At(seconds(60)) + `","reason":"InstallSucceeded","message":"Helm install succeeded for release apps/podinfo.v1 with chart podinfo@6.5.4",
		"metadata":{"revision":"6.5.4"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	c.Put(helmReleases, func() object {
		o := with(made("helm-1", "podinfo"), "namespace", "apps")
		o["status"] = object{"history": []any{object{"version": 1, "status": "deployed", "chartVersion": "6.5.4", "lastDeployed": kubernetestest.At(seconds(60))}}}
		return o
	}())
	r := newReader(t, c)
	r.read()
	if diff := cmp.Diff(kept(heard.Facts), kept(r.told)); diff != "" {
		t.Errorf("(-heard +watched):\n%s", diff)
	}
}
