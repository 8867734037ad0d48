package k3d

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose"
)

// object is one object of the manifests, as its file has it.
type object map[string]any

func (o object) kind() string { kind, _ := o["kind"].(string); return kind }

func (o object) metadata() object { meta, _ := o["metadata"].(map[string]any); return meta }

func (o object) name() string { name, _ := o.metadata()["name"].(string); return name }

// namespace is the object's, or that of kubectl for objects that name none.
func (o object) namespace() string {
	if namespace, _ := o.metadata()["namespace"].(string); namespace != "" {
		return namespace
	}
	return corev1.NamespaceDefault
}

// at returns what is under the keys; nil when there is no such thing.
func (o object) at(keys ...string) object {
	for _, key := range keys {
		o, _ = o[key].(map[string]any)
	}
	return o
}

// podSpecs is where each kind of workload describes its pods.
var podSpecs = map[string][]string{
	"Pod": {"spec"}, "CronJob": {"spec", "jobTemplate", "spec", "template", "spec"},
	"Deployment": {"spec", "template", "spec"}, "StatefulSet": {"spec", "template", "spec"}, "DaemonSet": {"spec", "template", "spec"},
	"ReplicaSet": {"spec", "template", "spec"}, "ReplicationController": {"spec", "template", "spec"}, "Job": {"spec", "template", "spec"},
}

// containers returns the containers of a workload, those that run before the others first;
// none of an object of another kind.
func (o object) containers() []object {
	keys, ok := podSpecs[o.kind()]
	if !ok {
		return nil
	}
	var all []object
	spec := o.at(keys...)
	for _, list := range []string{"initContainers", "containers"} {
		items, _ := spec[list].([]any)
		for _, item := range items {
			if container, ok := item.(map[string]any); ok {
				all = append(all, container)
			}
		}
	}
	return all
}

// read reads the objects of the folder's manifests, in the order of the files' names, as
// `kubectl apply --filename FOLDER` does: YAML and JSON, and no folder below it.
func read(dir string) ([]object, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, entry := range entries {
		if entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(entry.Name())) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		found, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, entry.Name()), err)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no manifests", dir)
	}
	return all, nil
}

// parse reads the objects of one file, and those in its lists.
func parse(raw []byte) ([]object, error) {
	var all []object
	documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), len(raw))
	for {
		var o object
		err := documents.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		items, isList := o["items"].([]any)
		switch {
		case len(o) == 0:
		case strings.HasSuffix(o.kind(), "List") && isList:
			for _, item := range items {
				if inner, ok := item.(map[string]any); ok {
					all = append(all, inner)
				}
			}
		case o.kind() == "" || o.name() == "":
			return nil, errors.New("an object has no kind or no name")
		default:
			all = append(all, o)
		}
	}
}

// isStack tells whether an object is the stack that the cases of grafana/oats bring: a
// workload or a Service of its name. The lab takes its place.
func (o object) isStack() bool {
	return o.name() == compose.Host && (o.kind() == "Service" || podSpecs[o.kind()] != nil)
}

// withoutStack returns the objects without the stack, and the namespaces in which the
// application looks for the stack.
func withoutStack(all []object) (kept []object, namespaces []string) {
	for _, o := range all {
		if !o.isStack() {
			kept = append(kept, o)
		} else if o.kind() == "Service" {
			namespaces = append(namespaces, o.namespace())
		}
	}
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceDefault}
	}
	return kept, namespaces
}

const (
	// attributesVariable is the variable from which an SDK reads attributes of its resource.
	attributesVariable = "OTEL_RESOURCE_ATTRIBUTES"
	// ownAttributes is what a container's own variable is called when the cluster fills it in.
	ownAttributes = "LAB_OWN_RESOURCE_ATTRIBUTES"
)

// addAttributes adds resource attributes to those that a container has.
func (o object) addAttributes(attributes string) {
	environment, _ := o["env"].([]any)
	var kept []any
	for _, item := range environment {
		variable, _ := item.(map[string]any)
		if name, _ := variable["name"].(string); name != attributesVariable {
			kept = append(kept, item)
			continue
		}
		if value, _ := variable["value"].(string); value != "" {
			attributes = value + "," + attributes
		} else if variable["valueFrom"] != nil {
			renamed := maps.Clone(variable)
			renamed["name"] = ownAttributes
			kept = append(kept, renamed)
			attributes = "$(" + ownAttributes + ")," + attributes
		}
	}
	o["env"] = append(kept, map[string]any{"name": attributesVariable, "value": attributes})
}

// images returns the images of the objects' containers.
func images(all []object) []string {
	var found []string
	for _, o := range all {
		for _, container := range o.containers() {
			if image, _ := container["image"].(string); image != "" {
				found = append(found, image)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// document returns the objects as YAML documents.
func document(all []object) ([]byte, error) {
	var out bytes.Buffer
	for _, o := range all {
		raw, err := yaml.Marshal(o)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(raw)
	}
	return out.Bytes(), nil
}
