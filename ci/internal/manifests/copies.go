package manifests

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// secretKey matches a valid key of a Secret.
var secretKey = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)

// checkForward fails when pods cannot reach the endpoint, or when a Secret cannot have its
// headers.
func checkForward(f forward.Endpoint) error {
	if f.URL == "" {
		return nil
	}
	u, err := url.Parse(f.URL)
	if err != nil {
		return err
	}
	if _, err := parseURL(f.URL, nil); err != nil {
		return fmt.Errorf("--forward: %w", err)
	}
	host := u.Hostname()
	address, err := netip.ParseAddr(host)
	if err == nil && address.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return fmt.Errorf("--forward: in a cluster, %s is Alloy's own pod; name an address at which a pod reaches the endpoint", host)
	}
	for _, h := range f.Headers {
		if !secretKey.MatchString(h.Name) {
			return fmt.Errorf("--forward-headers: a Secret cannot have a header called %s", h.Name)
		}
	}
	return nil
}

// addCopies adds to the kustomization what becomes of the copies of the telemetry.
func (o Options) addCopies(k *types.Kustomization, tree filesys.FileSystem) error {
	var errs []error
	if o.Inspect {
		k.Components = append(k.Components, component("inspector"))
		if o.Overlay == Kind { // the overlay sets this for the other workloads
			errs = append(errs, addPatch(k, "Deployment", "inspector", []map[string]any{
				{"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": "Never"},
			}))
		}
	}
	if o.Forward.URL != "" {
		k.Components = append(k.Components, component("forward"))
		errs = append(errs, o.addForward(k, tree))
	}
	return errors.Join(errs...)
}

// addForward tells Alloy of the endpoint, gives it the headers' values as files, and opens
// its network policy on the endpoint's port.
func (o Options) addForward(k *types.Kustomization, tree filesys.FileSystem) error {
	at, err := parseURL(o.Forward.URL, nil)
	if err != nil {
		return err
	}
	policy, err := at.patch("forward")
	if err != nil {
		return err
	}
	k.Patches = append(k.Patches, policy)
	var environment, items []any
	for _, setting := range o.Forward.Environment() {
		name, value, _ := strings.Cut(setting, "=")
		environment = append(environment, map[string]any{"name": name, "value": value})
	}
	secret := types.SecretArgs{Type: "Opaque"}
	secret.Namespace, secret.Name = target.NamespaceObservability, forward.Secret
	for i, h := range o.Forward.Slots() {
		items = append(items, map[string]any{"key": h.Name, "path": strconv.Itoa(i)})
		if h.Value == "" || i > 0 && i >= len(o.Forward.Headers) {
			continue // a Secret of the cluster has it, or an earlier slot
		}
		// Use a file, because kustomize strips quotes from a literal.
		name := "header-" + strconv.Itoa(i)
		if err := tree.WriteFile(path.Join(topLayer, name), []byte(h.Value)); err != nil {
			return err
		}
		secret.FileSources = append(secret.FileSources, h.Name+"="+name)
	}
	if len(secret.FileSources) > 0 {
		k.SecretGenerator = append(k.SecretGenerator, secret)
	}
	const volume = "forward"
	return addPatch(k, "StatefulSet", target.Alloy, map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": target.Alloy},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"containers": []any{map[string]any{
				"name": target.Alloy, "env": environment,
				"volumeMounts": []any{map[string]any{"name": volume, "mountPath": "/etc/forward", "readOnly": true}},
			}},
			"volumes": []any{map[string]any{"name": volume, "secret": map[string]any{
				"secretName": forward.Secret, "defaultMode": 0o440, "items": items,
			}}},
		}}},
	})
}

// component is the path of a component, from the top layer.
func component(name string) string {
	return path.Join("..", "config", "kubernetes", "components", name)
}

// addPatch adds a patch of the named object in the namespace observability.
func addPatch(k *types.Kustomization, kind, name string, patch any) error {
	raw, err := yaml.Marshal(patch)
	k.Patches = append(k.Patches, types.Patch{Patch: string(raw), Target: selector(kind, name)})
	return err
}

func selector(kind, name string) *types.Selector {
	return &types.Selector{ResId: resid.ResId{
		Gvk: resid.Gvk{Kind: kind}, Name: "^" + name + "$",
	}}
}
