// Package manifests makes the lab's Kubernetes manifests: the kustomization in
// config/kubernetes, with the values that are known only when the lab is brought up.
//
// It reads the files of a checkout, or those built into the program, into memory, and puts a
// last layer on top of the chosen overlay: images, settings, the administrator's password,
// the dashboards and the provisioning files. The same input gives the same bytes.
package manifests

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// The overlays.
const (
	// Kind is for a cluster whose images are loaded into its nodes: it has NodePorts and
	// references without a digest, and never pulls an image.
	Kind = "kind"
	// Production is for a cluster of the user's own: it has object storage, larger
	// volumes and references with a digest.
	Production = "production"
)

// The sizes of [Production].
const (
	Small  = "small" // fits on two cores and 12 GiB of memory
	Medium = "medium"
	Large  = "large"
)

// Sizes are all of them.
func Sizes() []string { return []string{Small, Medium, Large} }

// Options are the values that the files in config/kubernetes leave open.
type Options struct {
	// Overlay is [Kind] or [Production].
	Overlay string
	// Images maps the name of every image to the reference to run. The names are those
	// in config/images.json, and "frontend", "backend" and "lab" for our own. References are
	// repository:tag for [Kind], repository:tag@digest for [Production]. Names
	// that the manifests do not use are ignored.
	Images map[string]string
	// Size is the size of the workloads and their volumes, for [Production]: one of [Sizes].
	// Empty is [Medium].
	Size string
	// Settings replace values of the overlay [Production]'s settings.env. A name that the
	// file does not have is refused.
	Settings map[string]string
	// TrustCallers lets the frontend go on with the traces of its callers, as the lab's own
	// tools need it. [Kind] does so always.
	TrustCallers bool
	// Faults lets requests ask for faults.
	Faults bool
	// AdminPassword is the password of Grafana's administrator. [Kind] needs it. With
	// [Production] it may be empty if the namespace observability has a Secret
	// grafana-admin with the key password.
	AdminPassword string
	// Retention is how long logs, traces and metrics are kept; 0 keeps the overlay's
	// period.
	Retention retention.Periods
	// Sampling is which traces are kept; the zero value keeps what the overlay says.
	Sampling sampling.Traces
	// GrafanaURL is the URL at which a person's browser finds Grafana; "" keeps the
	// overlay's. The frontend's links to traces begin with it.
	GrafanaURL string
	// MetricsServer adds metrics-server, for `kubectl top`; only for [Kind].
	MetricsServer bool
	// Inspect adds the inspector, and lets Alloy send it a copy of all telemetry.
	Inspect bool
	// Forward is another OTLP endpoint that Alloy sends a copy of all telemetry. Headers
	// without a value come from a Secret forward-headers in the namespace observability,
	// which has the value of each header under the header's name.
	Forward forward.Endpoint
}

// The folders of the tree in memory.
const (
	treeRoot = "/lab"
	topLayer = treeRoot + "/top"
)

// Build returns the manifests of the whole lab, as one YAML document per object,
// namespaces first. files has config/ and dashboards/, as a checkout has them. The error
// names every image that Options.Images lacks.
func Build(files fs.FS, o Options) ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	tree := filesys.MakeFsInMemory()
	top, err := o.top(files, tree)
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
	// The configuration files are outside of config/kubernetes, because all targets use
	// them.
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
	if o.Size != "" && (o.Overlay != Production || !slices.Contains(Sizes(), o.Size)) {
		errs = append(errs, fmt.Errorf("size %q: the overlay %s has the sizes %s", o.Size, Production, strings.Join(Sizes(), ", ")))
	}
	if o.Overlay == Production && o.MetricsServer {
		errs = append(errs, errors.New("metrics-server is for Kind: use the one of your cluster"))
	}
	if err := o.Retention.Check(); err != nil {
		errs = append(errs, err)
	}
	if err := checkForward(o.Forward); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("manifests: %w", errors.Join(errs...))
	}
	return nil
}

// top fills the tree and returns the kustomization that goes on top.
func (o Options) top(from fs.FS, tree filesys.FileSystem) (*types.Kustomization, error) {
	files, err := load(from, tree)
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
		k.Components = []string{component("metrics-server")}
	}
	var settings map[string]string
	if o.Overlay == Production {
		if settings, err = o.production(k, tree); err != nil {
			return nil, err
		}
	}
	if err := o.addCopies(k, tree); err != nil {
		return nil, err
	}
	k.ConfigMapGenerator = append(o.generated(cmp.Or(o.GrafanaURL, settings["GRAFANA_URL"])), grafanaFiles(files)...)
	dashboards, err := dashboardMaps(files)
	if err != nil {
		return nil, err
	}
	k.ConfigMapGenerator = append(k.ConfigMapGenerator, dashboards...)
	if o.AdminPassword != "" {
		// Use a file, because kustomize strips quotes from a literal.
		if err := tree.WriteFile(path.Join(topLayer, "password"), []byte(o.AdminPassword)); err != nil {
			return nil, err
		}
		secret := types.SecretArgs{Type: "Opaque"}
		secret.Namespace, secret.Name = target.NamespaceObservability, "grafana-admin"
		secret.FileSources = []string{"password"}
		k.SecretGenerator = append(k.SecretGenerator, secret)
	}
	return k, nil
}

// generated returns the changes that the options make to the two ConfigMaps of settings.
// grafana is the URL at which a browser finds Grafana, if it is known.
func (o Options) generated(grafana string) []types.ConfigMapArgs {
	var services []string
	stack := append(o.Retention.Environment(), o.Sampling.Environment()...)
	if grafana != "" {
		base := strings.TrimRight(grafana, "/")
		stack = append(stack, "GRAFANA_URL="+base)
		services = append(services, "LAB_TRACE_URL="+target.Addresses{Grafana: base}.TraceURL())
	}
	services = append(services, "LAB_FAULTS="+strconv.FormatBool(o.Faults))
	if o.TrustCallers {
		services = append(services, "PUBLIC_ENDPOINT=false")
	}
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
