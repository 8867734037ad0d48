package deploy

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Applied is the result of Apply.
type Applied struct {
	// Objects are the objects of the manifests, in the order of applying.
	Objects []Ref
	// Changed are the objects that are new or changed.
	Changed []Ref
	// Surplus are the objects of an earlier Apply that are not in the manifests any
	// more; see [Prune].
	Surplus []Ref
}

// prunable are the kinds that Prune deletes, as kubectl names them. Namespaces and volume
// claims are not among them, because deleting those deletes data. Nor are Jobs: Apply
// makes none, and a Job of RunJob may still run.
const prunable = "deployments.apps,statefulsets.apps,daemonsets.apps,services,configmaps,secrets," +
	"serviceaccounts,networkpolicies.networking.k8s.io,poddisruptionbudgets.policy,horizontalpodautoscalers.autoscaling," +
	"roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,clusterroles.rbac.authorization.k8s.io," +
	"clusterrolebindings.rbac.authorization.k8s.io,apiservices.apiregistration.k8s.io,resourcequotas,limitranges"

// listed are the kinds whose versions are compared before and after Apply.
const listed = prunable + ",namespaces,persistentvolumeclaims"

// Only objects with a status have a generation, which counts changes of their spec. A
// resource version counts all changes. Both forms print the same line for an object:
// columns is for a listing, template for the output of `apply`.
const (
	columns  = "--output=custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name,G:.metadata.generation,V:.metadata.resourceVersion"
	template = `--output=go-template={{define "o"}}{{.kind}}{{with .metadata}} {{or .namespace "<none>"}} {{.name}} {{or .generation "<none>"}} {{.resourceVersion}}{{"\n"}}{{end}}{{end}}` +
		`{{if eq .kind "List"}}{{range .items}}{{template "o" .}}{{end}}{{else}}{{template "o" .}}{{end}}`
)

// Apply brings the manifests, YAML documents, into the cluster: server-side, as
// the owner of every field in them. It deletes nothing; see [Prune].
func Apply(ctx context.Context, k Kubectl, manifests []byte) (Applied, error) {
	all, err := parseManifests(manifests)
	if err != nil {
		return Applied{}, err
	}
	before, err := list(ctx, k)
	if err != nil {
		return Applied{}, err
	}
	after, err := applyAll(ctx, k, all)
	if err != nil {
		return Applied{}, err
	}
	var done Applied
	for _, m := range all {
		done.Objects = append(done.Objects, m.Ref)
		if before[m.Ref] != after[m.Ref] {
			done.Changed = append(done.Changed, m.Ref)
		}
	}
	done.Surplus = surplus(before, done.Objects)
	return done, nil
}

// applyAll applies the objects. It deletes an object and makes it again when an immutable
// field of the object has changed; a StatefulSet's pods and volumes stay.
func applyAll(ctx context.Context, k Kubectl, all []manifest) (map[Ref]string, error) {
	doc, err := asList(all)
	if err != nil {
		return nil, err
	}
	apply := func() ([]byte, error) {
		return k.Kubectl(ctx, bytes.NewReader(doc), "apply", "--server-side", "--force-conflicts", "--field-manager="+Manager, "--filename=-", template)
	}
	out, err := apply()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err == nil {
		return parseList(string(out)), nil
	}
	stuck := immutable(err.Error(), all)
	if len(stuck) == 0 {
		return nil, fmt.Errorf("applying the manifests: %w", err)
	}
	for _, r := range stuck {
		cascade := "background"
		if r.Kind == "StatefulSet" {
			cascade = "orphan"
		}
		if _, err := k.Kubectl(ctx, nil, "delete", r.Kind, r.Name, "--namespace="+r.Namespace, "--cascade="+cascade, "--ignore-not-found"); err != nil {
			return nil, err
		}
	}
	if out, err = apply(); err != nil {
		return nil, fmt.Errorf("applying the manifests: %w", err)
	}
	return parseList(string(out)), nil
}

// refused matches the API server's error about an immutable field of a workload.
var refused = regexp.MustCompile(`The (StatefulSet|Deployment|DaemonSet|Job) "([^"]+)" is invalid:[^\n]*(?:field is immutable|updates to statefulset spec)`)

// immutable finds the objects whose immutable fields the message is about.
func immutable(message string, all []manifest) []Ref {
	var found []Ref
	for _, match := range refused.FindAllStringSubmatch(message, -1) {
		for _, m := range all {
			if m.Kind == match[1] && m.Name == match[2] && !slices.Contains(found, m.Ref) {
				found = append(found, m.Ref)
			}
		}
	}
	return found
}

// Prune deletes the objects that Apply has found to be surplus. Call it after the rollout:
// until then, old pods may need these objects.
func Prune(ctx context.Context, k Kubectl, gone []Ref) error {
	for _, r := range gone {
		args := []string{"delete", r.Kind, r.Name, "--ignore-not-found", "--wait=false"}
		if r.Namespace != "" {
			args = append(args, "--namespace="+r.Namespace)
		}
		if _, err := k.Kubectl(ctx, nil, args...); err != nil {
			return err
		}
	}
	return nil
}

// surplus returns the objects that carry the lab's label and are not wanted, sorted.
func surplus(have map[Ref]string, want []Ref) []Ref {
	var gone []Ref
	for r := range have {
		if !slices.Contains(want, r) && r.Kind != "Namespace" && r.Kind != "PersistentVolumeClaim" {
			gone = append(gone, r)
		}
	}
	slices.SortFunc(gone, func(a, b Ref) int { return strings.Compare(a.String(), b.String()) })
	return gone
}

// list returns the versions of all objects that have the lab's label, of the listed kinds.
func list(ctx context.Context, k Kubectl) (map[Ref]string, error) {
	out, err := k.Kubectl(ctx, nil, "get", listed, "--all-namespaces", "--selector="+Selector, "--no-headers", "--ignore-not-found", columns)
	if err != nil {
		return nil, fmt.Errorf("listing the objects in the cluster: %w", err)
	}
	return parseList(string(out)), nil
}

func parseList(out string) map[Ref]string {
	const none = "<none>"
	found := map[Ref]string{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) != 5 {
			continue
		}
		r := Ref{Kind: f[0], Namespace: strings.TrimSuffix(f[1], none), Name: f[2]}
		version := "generation " + f[3]
		if f[3] == none {
			version = "version " + f[4]
		}
		found[r] = version
	}
	return found
}
