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

// notes are what the annotations say.
type notes struct {
	image    string
	images   map[string]string
	size     string
	settings map[string]string // nil when none were noted
}

// notes reads the lab's annotations; there are none when there is no such namespace.
func (w Workloads) notes(ctx context.Context) (n notes, err error) {
	out, err := w.Client.Kubectl(ctx, nil, "get", "namespace", target.NamespaceObservability, "--ignore-not-found", "--output=jsonpath={.metadata.annotations}")
	if err != nil || len(strings.TrimSpace(string(out))) == 0 {
		return n, err
	}
	var all map[string]string
	if err := json.Unmarshal(out, &all); err != nil {
		return n, fmt.Errorf("reading the annotations of the namespace %s: %w", target.NamespaceObservability, err)
	}
	n.image, n.size = all[ImageNote], all[sizeNote]
	if n.images, err = mapNote(all, imagesNote); err != nil {
		return n, err
	}
	n.settings, err = mapNote(all, settingsNote)
	return n, err
}

// mapNote reads an annotation that is a map as JSON; nil when it is not there.
func mapNote(all map[string]string, name string) (map[string]string, error) {
	text, there := all[name]
	if !there {
		return nil, nil
	}
	values := map[string]string{}
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return nil, fmt.Errorf("the annotation %s of the namespace %s: %w", name, target.NamespaceObservability, err)
	}
	if values == nil { // "null": an Up without settings
		values = map[string]string{}
	}
	return values, nil
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
