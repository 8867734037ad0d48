package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

func (s kindSite) up(ctx context.Context, flags upFlags) error {
	began := time.Now()
	done, err := s.bring(ctx, flags)
	if err != nil {
		return err
	}
	headline := fmt.Sprintf("The lab is up in the cluster %s: %s, in %.1f s.", s.name, done, time.Since(began).Seconds())
	if done.unchanged() {
		headline = fmt.Sprintf("The lab is up already in the cluster %s, and unchanged.", s.name)
	}
	fmt.Fprint(s.e.stdout, kindWelcome(headline, done))
	return nil
}

// bring brings the lab up without a word to standard output.
func (s kindSite) bring(ctx context.Context, flags upFlags) (deployed, error) {
	c, ports, root, err := s.wanted(flags)
	if err != nil {
		return deployed{}, err
	}
	unlock, err := s.prepare(ctx, c, flags)
	if err != nil {
		return deployed{}, err
	}
	defer unlock()
	loaded, refs, err := s.clusterWithImages(ctx, c, flags, root)
	if err != nil {
		return deployed{}, err
	}
	done, err := s.deploy(ctx, c, flags, root, ports, refs)
	done.ports, done.loaded = ports, len(loaded.New)
	return done, err
}

// prepare does what comes before a cluster is made: it keeps others from it until
// unlock is called, looks for what is missing, and finds the nodes' image.
func (s kindSite) prepare(ctx context.Context, c *cluster.Cluster, flags upFlags) (unlock func(), err error) {
	if unlock, err = s.lock(ctx); err != nil {
		return nil, err
	}
	if !flags.noPreflight {
		err = s.preflight(ctx, c)
	}
	if err == nil {
		c.NodeArchive, err = s.nodeArchive(ctx, c, flags)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// wanted is the cluster that the flags ask for.
func (s kindSite) wanted(flags upFlags) (*cluster.Cluster, hostPorts, string, error) {
	ports := hostPorts{frontend: target.FrontendHostPort, grafana: target.GrafanaHostPort}
	if flags.anyPorts {
		ports = hostPorts{}
	}
	root, err := s.e.root()
	if err != nil {
		return nil, ports, "", err
	}
	if err := ports.assign(flags.ports); err != nil {
		return nil, ports, "", usageError{err}
	}
	kind, err := os.ReadFile(filepath.Join(root, "config", "kubernetes", "kind.yaml"))
	if err != nil {
		return nil, ports, "", err
	}
	cfg := cluster.Config{
		Name: s.name, Kind: kind, NodeImage: flags.nodeImage, Workers: flags.workers, Listen: flags.listen, Progress: s.say,
		Ports:    map[int]int{target.FrontendNodePort: ports.frontend, target.GrafanaNodePort: ports.grafana},
		Recreate: flags.recreate,
	}
	if ports.api != 0 {
		cfg.Ports[cluster.APIPort] = ports.api
	}
	if flags.archives != "" {
		if info, err := os.Stat(flags.archives); err != nil || !info.IsDir() {
			return nil, ports, "", fmt.Errorf("--archives %s: there is no such directory; `lab images pull --to` makes one", flags.archives)
		}
	}
	if cfg.NodeImage == "" {
		lock, err := s.e.imageLock(flags.images)
		if err != nil {
			return nil, ports, "", err
		}
		node, err := lock.Get(images.Node)
		if err != nil {
			return nil, ports, "", err
		}
		cfg.NodeImage = node.Reference()
	}
	return cluster.New(cfg), ports, root, nil
}

// lock keeps two `lab up` of one cluster apart.
func (s kindSite) lock(ctx context.Context) (unlock func(), err error) {
	dir, err := s.e.labDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "kind-"+s.name+".lock")
	return filelock.Acquire(ctx, path, func() { s.say(filelock.Waiting("the cluster " + s.name)) })
}

func (s kindSite) preflight(ctx context.Context, c *cluster.Cluster) error {
	problems, err := c.Preflight(ctx)
	if err != nil {
		return err
	}
	likely := true
	for _, p := range problems {
		s.e.say("✗ " + p.String())
		likely = likely && p.Likely
	}
	switch {
	case len(problems) == 0:
		return nil
	case likely:
		s.e.say("lab: nothing was done. --no-preflight tries nevertheless.")
	default:
		s.e.say("lab: nothing was done.")
	}
	return errFailed
}

// clusterWithImages makes the cluster and gets the images at the same time, and
// brings them together.
func (s kindSite) clusterWithImages(ctx context.Context, c *cluster.Cluster, flags upFlags, root string) (cluster.Loaded, map[string]string, error) {
	var archives []archive
	var clusterErr, imageErr error
	var both sync.WaitGroup
	// Neither is stopped when the other fails: what it makes is there the next time.
	both.Go(func() {
		begin := time.Now()
		made, err := c.Ensure(ctx)
		if clusterErr = err; made && err == nil {
			s.say(fmt.Sprintf("cluster: made in %.1f s", time.Since(begin).Seconds()))
		}
	})
	both.Go(func() { archives, imageErr = s.archives(ctx, c, flags, root) })
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

// deployed is what deploy has done.
type deployed struct {
	loaded   int // images that the cluster did not have
	changed  int // objects that are new or different
	rolled   int // workloads that became ready
	pruned   int
	password string
	ports    hostPorts
}

func (d deployed) unchanged() bool {
	return d.loaded == 0 && d.changed == 0 && d.rolled == 0 && d.pruned == 0
}

// String is what was done, in a few words.
func (d deployed) String() string {
	return fmt.Sprintf("%d images loaded, %d objects changed, %d workloads rolled out", d.loaded, d.changed, d.rolled)
}

// deploy applies the manifests and waits until everything is ready.
func (s kindSite) deploy(ctx context.Context, c *cluster.Cluster, flags upFlags, root string, ports hostPorts, refs map[string]string) (deployed, error) {
	var done deployed
	password, err := s.password(ctx, c)
	if err != nil {
		return done, err
	}
	done.password = password
	o := manifests.Options{
		Overlay: manifests.Kind, Images: refs, Faults: !flags.noFaults, AdminPassword: password,
		Retention: flags.retention.periods(), MetricsServer: flags.metricsServer,
	}
	if ports.grafana > 0 {
		o.GrafanaURL = "http://localhost:" + strconv.Itoa(ports.grafana)
	}
	raw, err := manifests.Build(root, o)
	if err != nil {
		return done, err
	}
	applied, err := deploy.Apply(ctx, c, raw)
	if err != nil {
		return done, err
	}
	done.changed = len(applied.Changed)
	s.say(fmt.Sprintf("applied %d objects, %d of them new or changed", len(applied.Objects), done.changed))
	if err := s.noteImages(ctx, c, refs); err != nil {
		return done, err
	}
	started, err := c.NodesStarted(ctx)
	if err != nil {
		return done, err
	}
	took, err := deploy.Rollout(ctx, c, deploy.Workloads(applied.Objects), deploy.RolloutOptions{
		Timeout: flags.timeout, NodesStarted: started, Namespaces: []string{"kube-system"}, Progress: s.say,
	})
	if err != nil {
		if ctx.Err() != nil {
			return done, err
		}
		s.e.say("lab: " + deploy.Explain(ctx, c, err))
		return done, errFailed
	}
	done.rolled = len(took)
	if done.pruned = len(applied.Surplus); done.pruned > 0 {
		s.say(fmt.Sprintf("deleting %d objects that are not in the manifests any more", done.pruned))
	}
	return done, deploy.Prune(ctx, c, applied.Surplus)
}

// password is that of Grafana's administrator: the one in the cluster, or at the
// first time a new one.
func (s kindSite) password(ctx context.Context, c *cluster.Cluster) (string, error) {
	have, err := deploy.Secret(ctx, c, target.NamespaceObservability, "grafana-admin", "password")
	if err != nil || have != "" {
		return have, err
	}
	return strings.ToLower(rand.Text()), nil
}

// kindWelcome says where everything is, and what to do next.
func kindWelcome(headline string, d deployed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n", headline)
	row := func(name string, port int, what string) {
		at := "(a port of the runtime's choice)"
		if port > 0 {
			at = "http://localhost:" + strconv.Itoa(port)
		}
		fmt.Fprintf(&b, "  %-9s %-23s %s\n", name, at, what)
	}
	row("frontend", d.ports.frontend, "the page: users, and buttons that cause trouble")
	row("grafana", d.ports.grafana, "logs, metrics and traces; as admin: "+d.password)
	b.WriteString("\nNext:\n" +
		"  go run ./ci/lab traffic --target kind    send it 200 requests\n" +
		"  go run ./ci/lab verify --target kind     prove that all telemetry of a request arrives\n" +
		"  go run ./ci/lab status --target kind     how every pod is\n" +
		"  go run ./ci/lab down --target kind       delete the cluster\n\n")
	return b.String()
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
