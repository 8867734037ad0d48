package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// The annotations of the namespace observability that the lab notes things in.
const (
	// ImageNote has the reference of the lab image, which Jobs run.
	ImageNote = notePrefix + "image"
	// imagesNote has the references that --image has given, as JSON.
	imagesNote = notePrefix + "images"
	// sizeNote has the size of the workloads.
	sizeNote = notePrefix + "size"
	// settingsNote has the settings, as JSON. There is no secret among them.
	settingsNote = notePrefix + "settings"

	notePrefix = "lgtm-lab/"
)

// notes reads the lab's annotations; none when there is no such namespace.
func (w Workloads) notes(ctx context.Context) (map[string]string, error) {
	out, err := w.Client.Kubectl(ctx, nil, "get", "namespace", target.NamespaceObservability, "--ignore-not-found", "--output=jsonpath={.metadata.annotations}")
	if err != nil || len(strings.TrimSpace(string(out))) == 0 {
		return nil, err
	}
	var all map[string]string
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("reading the annotations of the namespace %s: %w", target.NamespaceObservability, err)
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return !strings.HasPrefix(name, notePrefix) })
	return all, nil
}

// note writes the lab's annotations.
func (w Workloads) note(ctx context.Context, notes map[string]string) error {
	args := []string{"annotate", "namespace", target.NamespaceObservability, "--overwrite"}
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		args = append(args, name+"="+notes[name])
	}
	_, err := w.Client.Kubectl(ctx, nil, args...)
	return err
}
