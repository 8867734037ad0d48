// Package manifests makes the lab's Kubernetes manifests: the kustomization in
// config/kubernetes with what is only known when the lab is brought up.
//
// Everything is read from a checkout into memory, where a last layer is put on
// top of the chosen overlay: images, settings, the administrator's password, and
// the dashboards and provisioning files that the checkout has. The checkout is
// not written to. The same input gives the same bytes.
package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// The overlays.
const (
	// Kind is for a cluster whose images are loaded into its nodes: NodePorts,
	// references without a digest, nothing is ever pulled.
	Kind = "kind"
	// Production is for a cluster that is there already: object storage, larger
	// volumes, references with a digest.
	Production = "production"
)

// Options is what the files in config/kubernetes leave open.
type Options struct {
	// Overlay is [Kind] or [Production].
	Overlay string
	// Images maps the name of every image, as in config/images.json and for ours
	// "frontend", "backend" and "lab", to the reference to run:
	// repository:tag for [Kind], repository:tag@digest for [Production]. Names
	// that the manifests do not use are ignored.
	Images map[string]string
	// Faults switches on the faults that a request may ask for.
	Faults bool
	// AdminPassword is that of Grafana's administrator. [Kind] needs it;
	// [Production] may leave it empty and have a Secret grafana-admin, with the
	// key password, in the namespace observability.
	AdminPassword string
	// Retention is how long logs, traces and metrics are kept; 0 leaves what the
	// overlay says.
	Retention retention.Periods
	// GrafanaURL is where a person's browser finds Grafana; "" leaves what the
	// overlay says. The frontend's links to traces begin with it.
	GrafanaURL string
	// MetricsServer adds metrics-server, for `kubectl top`; only for [Kind].
	MetricsServer bool
}

// The folders of the tree in memory.
const (
	treeRoot = "/lab"
	topLayer = treeRoot + "/top"
)

// Build returns the manifests of the whole lab, as one YAML document per object,
// namespaces first. root is the checkout's folder. The error names every image
// that Options.Images lacks.
func Build(root string, o Options) ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	tree := filesys.MakeFsInMemory()
	top, err := o.top(root, tree)
	if err != nil {
		return nil, fmt.Errorf("manifests: %w", err)
	}
	raw, err := yaml.Marshal(top)
	if err != nil {
		return nil, err
	}
	if err := tree.WriteFile(path.Join(topLayer, "kustomization.yaml"), raw); err != nil {
		return nil, err
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	// The configuration is outside of config/kubernetes, where every target finds it.
	options.LoadRestrictions = types.LoadRestrictionsNone
	objects, err := krusty.MakeKustomizer(options).Run(tree, topLayer)
	if err != nil {
		return nil, fmt.Errorf("manifests: overlay %s: %w", o.Overlay, err)
	}
	var out bytes.Buffer
	var errs []error
	for _, r := range objects.Resources() {
		object, err := r.Map()
		if err != nil {
			return nil, err
		}
		if err := setImages(object, o); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", r.GetKind(), r.GetName(), err))
			continue
		}
		raw, err := yaml.Marshal(object)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(raw)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("manifests: %w", errors.Join(errs...))
	}
	return out.Bytes(), nil
}

func (o Options) check() error {
	var errs []error
	if !slices.Contains([]string{Kind, Production}, o.Overlay) {
		errs = append(errs, fmt.Errorf("unknown overlay %q; there are %s and %s", o.Overlay, Kind, Production))
	}
	if o.Overlay == Kind && o.AdminPassword == "" {
		errs = append(errs, errors.New("no password for Grafana's administrator"))
	}
	if o.Overlay == Production && o.MetricsServer {
		errs = append(errs, errors.New("metrics-server is for Kind: a cluster that is there has its own"))
	}
	if err := o.Retention.Check(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("manifests: %w", errors.Join(errs...))
	}
	return nil
}

// top fills the tree and returns the kustomization that goes on top.
func (o Options) top(root string, tree filesys.FileSystem) (*types.Kustomization, error) {
	files, err := load(root, tree)
	if err != nil {
		return nil, err
	}
	k := &types.Kustomization{
		TypeMeta:  types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
		Resources: []string{path.Join("..", "config", "kubernetes", "overlays", o.Overlay)},
		Labels: []types.Label{{Pairs: map[string]string{
			"app.kubernetes.io/part-of":    "lgtm-lab",
			"app.kubernetes.io/managed-by": "lgtm-lab",
		}}},
	}
	if o.MetricsServer {
		k.Components = []string{path.Join("..", "config", "kubernetes", "components", "metrics-server")}
	}
	k.ConfigMapGenerator = append(o.settings(), grafanaFiles(files)...)
	dashboards, err := dashboardMaps(files)
	if err != nil {
		return nil, err
	}
	k.ConfigMapGenerator = append(k.ConfigMapGenerator, dashboards...)
	if o.AdminPassword != "" {
		// A file, because of a literal kustomize would strip quotes.
		if err := tree.WriteFile(path.Join(topLayer, "password"), []byte(o.AdminPassword)); err != nil {
			return nil, err
		}
		secret := types.SecretArgs{Type: "Opaque"}
		secret.Namespace, secret.Name = target.NamespaceObservability, "grafana-admin"
		secret.FileSources = []string{"password"}
		k.SecretGenerator = []types.SecretArgs{secret}
	}
	return k, nil
}

// settings changes the two ConfigMaps of settings where the options say so.
func (o Options) settings() []types.ConfigMapArgs {
	var services []string
	stack := o.Retention.Environment()
	if o.GrafanaURL != "" {
		base := strings.TrimRight(o.GrafanaURL, "/")
		stack = append(stack, "GRAFANA_URL="+base)
		services = append(services, "LAB_TRACE_URL="+target.Addresses{Grafana: base}.TraceURL())
	}
	services = append(services, "LAB_FAULTS="+strconv.FormatBool(o.Faults))
	var maps []types.ConfigMapArgs
	for _, m := range []struct {
		namespace, name string
		literals        []string
	}{
		{target.NamespaceObservability, "stack", stack},
		{target.NamespaceApp, "services", services},
	} {
		if len(m.literals) == 0 {
			continue
		}
		arg := types.ConfigMapArgs{}
		arg.Namespace, arg.Name, arg.Behavior, arg.LiteralSources = m.namespace, m.name, "merge", m.literals
		maps = append(maps, arg)
	}
	return maps
}
