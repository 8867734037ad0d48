package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// plan is what Up is about to apply.
type plan struct {
	manifests []byte
	objects   []object
	images    map[string]string // the references of the lab's own
	size      string
	settings  map[string]string
	before    notes  // of the last Up
	password  string // of Grafana's administrator; empty if the user's Secret has it
}

// Up implements [target.Target]. It says which context it is about to change, looks whether
// anything is in the way, and only then changes something.
func (t *Target) Up(ctx context.Context) (target.Summary, error) {
	began := time.Now()
	w, p, err := t.look(ctx)
	if err != nil {
		return target.Summary{}, err
	}
	notes, err := p.notes()
	if err != nil {
		return target.Summary{}, err
	}
	done, err := w.Deploy(ctx, p.manifests, notes, deploy.RolloutOptions{Timeout: t.o.Timeout})
	if err != nil {
		return target.Summary{}, err
	}
	if done.Objects > 0 {
		t.openNetwork(ctx, w)
	}
	headline := fmt.Sprintf("The lab is up in the context %s, size %s: %d objects changed, %d workloads rolled out, in %.1f s.",
		t.o.Context, p.size, done.Objects, done.Rolled, time.Since(began).Seconds())
	if done == (Deployed{}) {
		headline = fmt.Sprintf("The lab is up already in the context %s, and unchanged.", t.o.Context)
	}
	return t.summary(w, headline, p.password), nil
}

// Diff implements [target.Previewed] by `kubectl diff`.
func (t *Target) Diff(ctx context.Context, out io.Writer) error {
	w, p, err := t.look(ctx)
	if err != nil {
		return err
	}
	missing, err := missingNamespaces(ctx, w)
	if err != nil {
		return err
	}
	var there []object
	for _, o := range p.objects {
		// The server compares nothing in a namespace that is not there.
		if slices.Contains(missing, o.Metadata.Namespace) || o.Kind == "Namespace" && slices.Contains(missing, o.Metadata.Name) {
			fmt.Fprintf(out, "+ %s\n", o.ref())
			continue
		}
		there = append(there, o)
	}
	if len(there) == 0 {
		return nil
	}
	list, err := asList(there)
	if err != nil {
		return err
	}
	err = w.Client.KubectlTo(ctx, out, bytes.NewReader(list), "diff", "--server-side", "--force-conflicts", "--field-manager="+deploy.Manager, "--filename=-")
	if exitCode(err) == 1 { // there are differences
		return nil
	}
	return err
}

// look connects, says where, makes the plan, and fails if anything is in the way of it.
func (t *Target) look(ctx context.Context) (Workloads, plan, error) {
	w, err := t.connect(ctx)
	if err != nil {
		return w, plan{}, err
	}
	server, err := w.Client.Kubectl(ctx, nil, "config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}")
	if err != nil {
		return w, plan{}, err
	}
	t.say(fmt.Sprintf("the context %s of your kubeconfig: the cluster at %s", t.o.Context, strings.TrimSpace(string(server))))
	version, err := serverVersion(ctx, w)
	if err != nil {
		return w, plan{}, err
	}
	p, err := t.plan(ctx, w)
	if err != nil {
		return w, p, err
	}
	return w, p, t.preflight(ctx, w, p, version)
}

// plan makes the manifests, of the options and of what the last Up has noted.
func (t *Target) plan(ctx context.Context, w Workloads) (plan, error) {
	noted, err := w.notes(ctx)
	if err != nil {
		return plan{}, err
	}
	p := plan{before: noted, size: cmp.Or(t.o.Size, noted.size, manifests.Small), settings: noted.settings, images: map[string]string{}}
	if t.o.Settings != nil {
		p.settings = t.o.Settings
	}
	maps.Copy(p.images, noted.images)
	maps.Copy(p.images, t.o.Images)
	refs, err := t.references(p.images)
	if err != nil {
		return p, err
	}
	if p.password, err = adminPassword(ctx, w); err != nil {
		return p, err
	}
	p.manifests, err = manifests.Build(t.o.Files(), manifests.Options{
		Overlay: manifests.Production, Images: refs, Size: p.size, Settings: p.settings, TrustCallers: true, Faults: t.o.Faults, AdminPassword: p.password,
		Retention: t.o.Retention, Sampling: t.o.Sampling, Inspect: t.o.Inspect, Forward: t.o.Forward,
	})
	if err != nil {
		return p, err
	}
	p.objects, err = parseObjects(p.manifests)
	return p, err
}

// references returns the reference of every image that the manifests name.
func (t *Target) references(given map[string]string) (map[string]string, error) {
	var missing []string
	for _, name := range build.Names() {
		if given[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("nothing was done: the cluster pulls its images, and no registry is known for %s. `%s images build --publish REGISTRY` pushes them; "+
			"then name each with the digest that it prints, once: --image %s=REGISTRY/%s:TAG@sha256:…", strings.Join(missing, ", "), command.Name(), missing[0], missing[0])
	}
	lock, err := t.o.Lock()
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for _, name := range images.Workloads() {
		img, err := lock.Get(name)
		if err != nil {
			return nil, err
		}
		refs[name] = img.Reference()
	}
	maps.Copy(refs, given)
	return refs, nil
}

// adminPassword returns the password of Grafana's administrator; "" if a Secret of the user's
// own has it.
func adminPassword(ctx context.Context, w Workloads) (string, error) {
	out, err := w.Client.Kubectl(ctx, nil, "get", "secret", adminSecret, "--namespace="+target.NamespaceObservability, "--ignore-not-found", "--output=name")
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		return "", err
	}
	return w.Password(ctx)
}

// notes are what the next Up, and the Jobs, must know.
func (p plan) notes() (map[string]string, error) {
	given, err := json.Marshal(p.images)
	settings, settingsErr := json.Marshal(p.settings)
	return map[string]string{ImageNote: p.images["lab"], imagesNote: string(given), sizeNote: p.size, settingsNote: string(settings)}, errors.Join(err, settingsErr)
}

// summary describes where everything is, and what to do next.
func (t *Target) summary(w Workloads, headline, password string) target.Summary {
	admin := "the password is in your Secret " + adminSecret
	if password != "" {
		admin = "as admin: " + password
	}
	port := func(namespace, name string, number int) string {
		return fmt.Sprintf("(%s -n %s port-forward service/%s %d)", w.KubectlCommand, namespace, name, number)
	}
	ports := target.ClusterPorts()
	return target.Summary{
		Headline: headline,
		Places: []target.Place{
			{Name: target.Frontend, URL: port(target.NamespaceApp, target.Frontend, ports.Frontend), About: "the web page"},
			{Name: target.Grafana, URL: port(target.NamespaceObservability, target.Grafana, ports.Grafana), About: admin},
		},
		Next: []target.Step{
			{Command: command.Name() + " traffic " + w.Flags, About: "send it 200 requests"},
			{Command: command.Name() + " verify " + w.Flags, About: "prove that all telemetry of a request arrives"},
			{Command: command.Name() + " status " + w.Flags, About: "how every pod is"},
			{Command: command.Name() + " down " + w.Flags, About: "delete the lab, and keep its volumes"},
		},
	}
}
