package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Ref names an object in a cluster.
type Ref struct {
	Kind, Namespace, Name string
}

// String returns namespace/kind/name, with the kind in small letters; objects without a
// namespace are kind/name.
func (r Ref) String() string {
	s := strings.ToLower(r.Kind) + "/" + r.Name
	if r.Namespace != "" {
		s = r.Namespace + "/" + s
	}
	return s
}

// isWorkload tells whether Rollout waits for objects of this kind.
func (r Ref) isWorkload() bool {
	return r.Kind == "Deployment" || r.Kind == "StatefulSet" || r.Kind == "DaemonSet"
}

// Workloads returns those of the objects that Rollout waits for.
func Workloads(objects []Ref) []Ref {
	var found []Ref
	for _, r := range objects {
		if r.isWorkload() {
			found = append(found, r)
		}
	}
	return found
}

// manifest is one object as it is applied.
type manifest struct {
	Ref
	fields map[string]any
}

// order is the order in which kinds are applied: objects that others are in or refer to
// come first, workloads come last. Kinds that are not here come between, at otherOrder.
var order = map[string]int{
	"Namespace": 0, "CustomResourceDefinition": 1, "PriorityClass": 2, "ResourceQuota": 3, "LimitRange": 3,
	"ServiceAccount": 4, "Role": 5, "ClusterRole": 5, "RoleBinding": 6, "ClusterRoleBinding": 6,
	"NetworkPolicy": 7, "ConfigMap": 8, "Secret": 8, "PersistentVolumeClaim": 9, "Service": 10,
	"PodDisruptionBudget": 12, "StatefulSet": 13, "DaemonSet": 13, "Deployment": 14, "HorizontalPodAutoscaler": 15, "APIService": 16,
}

const otherOrder = 11

// parseManifests reads a YAML document per object, adds the label by which the lab finds
// the object again, and sorts the objects into the order of applying.
func parseManifests(raw []byte) ([]manifest, error) {
	var all []manifest
	seen := map[Ref]bool{}
	for n, doc := range splitYAML(raw) {
		var fields map[string]any
		if err := yaml.Unmarshal(doc, &fields); err != nil {
			return nil, fmt.Errorf("manifest %d: %w", n+1, err)
		}
		if len(fields) == 0 {
			continue
		}
		meta, _ := fields["metadata"].(map[string]any)
		kind, _ := fields["kind"].(string)
		name, _ := meta["name"].(string)
		namespace, _ := meta["namespace"].(string)
		if kind == "" || name == "" {
			return nil, fmt.Errorf("manifest %d has no kind or no name", n+1)
		}
		m := manifest{Ref{kind, namespace, name}, fields}
		if seen[m.Ref] {
			return nil, fmt.Errorf("the manifests have %s twice", m.Ref)
		}
		seen[m.Ref] = true
		labels, _ := meta["labels"].(map[string]any)
		if labels == nil {
			labels = map[string]any{}
		}
		labels[ManagedBy] = Manager
		meta["labels"] = labels
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, errors.New("the manifests are empty")
	}
	slices.SortStableFunc(all, func(a, b manifest) int { return rank(a.Kind) - rank(b.Kind) })
	return all, nil
}

func rank(kind string) int {
	if n, ok := order[kind]; ok {
		return n
	}
	return otherOrder
}

// splitYAML splits a stream at its separators. Three dashes inside a block of text are
// indented, so they are not taken for a separator.
func splitYAML(raw []byte) [][]byte {
	var docs [][]byte
	var doc []byte
	for line := range bytes.Lines(raw) {
		if trimmed := bytes.TrimRight(line, " \t\r\n"); bytes.Equal(trimmed, []byte("---")) {
			docs = append(docs, doc)
			doc = nil
			continue
		}
		doc = append(doc, line...)
	}
	return append(docs, doc)
}

// asList returns the objects as one document that kubectl reads.
func asList(all []manifest) ([]byte, error) {
	items := make([]map[string]any, len(all))
	for i, m := range all {
		items[i] = m.fields
	}
	return json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
}
