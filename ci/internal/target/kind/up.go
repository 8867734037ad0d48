package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// Up implements [target.Target].
func (t *Target) Up(ctx context.Context) (target.Summary, error) {
	began := time.Now()
	done, err := t.bring(ctx)
	if err != nil {
		return target.Summary{}, err
	}
	headline := fmt.Sprintf("The lab is up in the cluster %s: %s, in %.1f s.", t.o.Name, done, time.Since(began).Seconds())
	if done.unchanged() {
		headline = fmt.Sprintf("The lab is up already in the cluster %s, and unchanged.", t.o.Name)
	}
	return t.summary(headline, done.password), nil
}

// bring brings the lab up and prints nothing to standard output.
func (t *Target) bring(ctx context.Context) (deployed, error) {
	done, unguard, err := t.bringGuarded(ctx)
	unguard()
	return done, err
}

// bringGuarded brings the lab up, and keeps other callers from the cluster until unguard is
// called. unguard is never nil.
func (t *Target) bringGuarded(ctx context.Context) (done deployed, unguard func(), err error) {
	c, files, err := t.wanted(ctx)
	if err != nil {
		return deployed{}, func() {}, err
	}
	if unguard, err = t.prepare(ctx, c); err != nil {
		return deployed{}, func() {}, err
	}
	loaded, refs, err := t.clusterWithImages(ctx, c, files.Root)
	if err != nil {
		return deployed{}, unguard, err
	}
	done, err = t.deploy(ctx, c, files, refs)
	done.loaded = len(loaded.New)
	return done, unguard, err
}

// prepare does the steps before a cluster is made: it checks that nothing is missing, finds
// the nodes' image, and keeps other callers from the cluster until unguard is called.
func (t *Target) prepare(ctx context.Context, c *cluster.Cluster) (unguard func(), err error) {
	if !t.o.NoPreflight {
		if err := t.preflight(ctx, c); err != nil {
			return nil, err
		}
	}
	if c.NodeArchive, err = t.nodeArchive(ctx, c); err != nil {
		return nil, err
	}
	return t.guard(ctx, c)
}

// wanted returns the cluster that the options ask for, and the files that it is made from.
func (t *Target) wanted(ctx context.Context) (*cluster.Cluster, checkout.Files, error) {
	files := t.o.Files()
	kind, err := fs.ReadFile(files, "config/kubernetes/kind.yaml")
	if err != nil {
		return nil, files, err
	}
	if t.o.Archives != "" {
		if info, err := os.Stat(t.o.Archives); err != nil || !info.IsDir() {
			return nil, files, fmt.Errorf("--archives %s: there is no such directory; `lab images pull --to` makes one", t.o.Archives)
		}
	}
	t.settle(ctx)
	cfg := cluster.Config{
		Name: t.o.Name, Kind: kind, NodeImage: t.o.NodeImage, Workers: t.o.Workers, Listen: t.o.Listen, Progress: t.say,
		Ports:    map[int]int{target.FrontendNodePort: t.ports.frontend, target.GrafanaNodePort: t.ports.grafana},
		Recreate: t.o.Recreate,
	}
	if t.ports.api != 0 {
		cfg.Ports[cluster.APIPort] = t.ports.api
	}
	if cfg.NodeImage, err = t.nodeImage(); err != nil {
		return nil, files, err
	}
	return cluster.New(cfg), files, nil
}

// nodeImage returns the reference of the nodes' image: that of the options, or the lock's.
func (t *Target) nodeImage() (string, error) {
	if t.o.NodeImage != "" {
		return t.o.NodeImage, nil
	}
	lock, err := t.o.Lock()
	if err != nil {
		return "", err
	}
	node, err := lock.Get(images.Node)
	return node.Reference(), err
}

// Nodes returns what the options say of a cluster's nodes: NodeImage and NodeArchive.
func (t *Target) Nodes(ctx context.Context) (cluster.Config, error) {
	var cfg cluster.Config
	var err error
	if cfg.NodeImage, err = t.nodeImage(); err == nil {
		cfg.NodeArchive, err = t.nodeArchive(ctx, t.cluster())
	}
	return cfg, err
}

// settle fills in the settings that the options leave open: those of an existing cluster,
// or else the usual ones.
func (t *Target) settle(ctx context.Context) {
	// The preflight reports a runtime that does not answer.
	made, _ := t.cluster().Made(ctx)
	if made != nil {
		t.ports = t.ports.or(hostPorts{made.Ports[target.FrontendNodePort], made.Ports[target.GrafanaNodePort], made.Ports[cluster.APIPort]})
		t.o.Listen = cmp.Or(t.o.Listen, made.Listen)
		if t.o.Workers < 0 {
			t.o.Workers = made.Workers
		}
	}
	t.o.Workers = max(t.o.Workers, 0)
	if !t.anyPorts {
		t.ports = t.ports.or(usualPorts)
	}
}

// guard keeps every other caller, on any machine, from the cluster.
func (t *Target) guard(ctx context.Context, c *cluster.Cluster) (release func(), err error) {
	return c.Guard(ctx, func() { t.say(filelock.Waiting("the cluster " + t.o.Name)) })
}

// preflight fails when something that a cluster needs is missing. The error names every
// such problem.
func (t *Target) preflight(ctx context.Context, c *cluster.Cluster) error {
	problems, err := c.Preflight(ctx)
	if err != nil || len(problems) == 0 {
		return err
	}
	likely := true
	var b strings.Builder
	for _, p := range problems {
		b.WriteString("\n✗ " + p.String())
		likely = likely && p.Likely
	}
	if likely {
		b.WriteString("\nTo try nevertheless, add --no-preflight.")
	}
	return fmt.Errorf("nothing was done, because something is missing:%s", b.String())
}

// clusterWithImages makes the cluster and gets the images at the same time, and then loads
// the images into the cluster.
func (t *Target) clusterWithImages(ctx context.Context, c *cluster.Cluster, root string) (cluster.Loaded, map[string]string, error) {
	var archives []archive
	var clusterErr, imageErr error
	var both sync.WaitGroup
	// When one fails the other goes on: the next call can use its result.
	both.Go(func() {
		begin := time.Now()
		made, err := c.Ensure(ctx)
		if clusterErr = err; made && err == nil {
			t.say(fmt.Sprintf("cluster: made in %.1f s", time.Since(begin).Seconds()))
		}
	})
	both.Go(func() { archives, imageErr = t.archives(ctx, c, root) })
	both.Wait()
	if err := errors.Join(clusterErr, imageErr); err != nil {
		return cluster.Loaded{}, nil, err
	}
	var files []string
	refs := map[string]string{}
	for _, a := range archives {
		files = append(files, a.file)
		refs[a.name] = a.ref
	}
	loaded, err := c.Load(ctx, files)
	return loaded, refs, err
}

// summary describes where everything is, and what to do next.
func (t *Target) summary(headline, password string) target.Summary {
	at := func(port int) string {
		if port == 0 {
			return "(a port of the runtime's choice)"
		}
		return address(port)
	}
	s := target.Summary{
		Headline: headline,
		Places: []target.Place{
			{Name: target.Frontend, URL: at(t.ports.frontend), About: "the web page: users, and buttons for slow and failing queries"},
			{Name: target.Grafana, URL: at(t.ports.grafana), About: "logs, metrics and traces; as admin: " + password},
		},
		Next: []target.Step{
			{Command: command.Name() + " traffic " + t.flags(), About: "send it 200 requests"},
			{Command: command.Name() + " verify " + t.flags(), About: "prove that all telemetry of a request arrives"},
			{Command: command.Name() + " status " + t.flags(), About: "how every pod is"},
			{Command: command.Name() + " down " + t.flags(), About: "delete the cluster"},
		},
	}
	if t.o.Inspect {
		s.Next = append(s.Next, target.Step{Command: command.Name() + " score frontend " + t.flags(), About: "how well a service is instrumented"})
	}
	return s
}
