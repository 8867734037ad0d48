package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
)

// object has the fields of an object that this package reads, and the whole object.
type object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Spec       struct {
		Replicas             *int32                         `json:"replicas"`
		Template             *corev1.PodTemplateSpec        `json:"template"`
		VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
		// Resources are in a PersistentVolumeClaim.
		Resources corev1.VolumeResourceRequirements `json:"resources"`
	} `json:"spec"`

	raw json.RawMessage
}

func (o object) ref() deploy.Ref {
	return deploy.Ref{Kind: o.Kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}
}

// ours tells whether the lab has applied the object.
func (o object) ours() bool { return o.Metadata.Labels[deploy.ManagedBy] == deploy.Manager }

// replicas is the number of pods that the workload has.
func (o object) replicas() int64 {
	if o.Spec.Replicas != nil {
		return int64(*o.Spec.Replicas)
	}
	return 1
}

// parseObjects reads YAML documents.
func parseObjects(manifests []byte) ([]object, error) {
	var all []object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		raw, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return nil, err
		}
		found, err := parseJSON(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
}

// parseJSON reads what `kubectl … --output=json` prints: nothing, objects one after another,
// or a list of them.
func parseJSON(output []byte) ([]object, error) {
	var all []object
	decoder := json.NewDecoder(bytes.NewReader(output))
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading kubectl's output: %w", err)
		}
		var list struct {
			Kind  string            `json:"kind"`
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("reading kubectl's output: %w", err)
		}
		if !strings.HasSuffix(list.Kind, "List") {
			list.Items = []json.RawMessage{raw}
		}
		for _, item := range list.Items {
			o := object{raw: item}
			if err := json.Unmarshal(item, &o); err != nil {
				return nil, fmt.Errorf("reading kubectl's output: %w", err)
			}
			if o.Kind != "" {
				all = append(all, o)
			}
		}
	}
}

// asList returns the objects as one document that kubectl reads.
func asList(all []object) ([]byte, error) {
	items := make([]json.RawMessage, len(all))
	for i, o := range all {
		items[i] = o.raw
	}
	return json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
}

// get asks the cluster for objects as JSON. Those that are not there are left out.
func get(ctx context.Context, w Workloads, stdin io.Reader, args ...string) ([]object, error) {
	out, err := w.Client.Kubectl(ctx, stdin, append([]string{"get"}, append(args, "--ignore-not-found", "--output=json")...)...)
	if err != nil {
		return nil, err
	}
	return parseJSON(out)
}

// missingNamespaces returns those of the lab's namespaces that are not there.
func missingNamespaces(ctx context.Context, w Workloads) ([]string, error) {
	there, err := get(ctx, w, nil, append([]string{"namespaces"}, Namespaces()...)...)
	return slices.DeleteFunc(Namespaces(), func(name string) bool {
		return slices.ContainsFunc(there, func(o object) bool { return o.Metadata.Name == name })
	}), err
}
