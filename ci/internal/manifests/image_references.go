package manifests

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// versionLabel says which version of a program a workload runs.
const versionLabel = "app.kubernetes.io/version"

// labelValue matches a valid value of a label.
var labelValue = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// setImages replaces each container's image, a name, by its reference, and puts
// the first one's tag into the version label of the object and of its pods.
func setImages(object map[string]any, o Options) error {
	template := podTemplate(object)
	if template == nil {
		return nil
	}
	var errs []error
	tag := ""
	for _, list := range []string{"containers", "initContainers"} {
		containers, _ := dig(template, "spec")[list].([]any)
		for _, c := range containers {
			container, _ := c.(map[string]any)
			wanted, _ := container["image"].(string)
			ref, err := o.image(wanted)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			container["image"] = ref
			if tag == "" {
				tag = tagOf(ref)
			}
		}
	}
	if labelValue.MatchString(tag) {
		for _, o := range []map[string]any{object, template} {
			if labels := dig(o, "metadata", "labels"); labels != nil {
				labels[versionLabel] = tag
			}
		}
	}
	return errors.Join(errs...)
}

// image returns the reference of the image called wanted.
func (o Options) image(wanted string) (string, error) {
	ref, ok := o.Images[wanted]
	if !ok {
		return "", fmt.Errorf("no image %q among those given: %s", wanted,
			strings.Join(slices.Sorted(maps.Keys(o.Images)), ", "))
	}
	if _, err := name.ParseReference(ref); err != nil {
		return "", fmt.Errorf("image %q: %w", wanted, err)
	}
	switch pinned := strings.Contains(ref, "@"); {
	case o.Overlay == Production && !pinned:
		return "", fmt.Errorf("image %q: %s is not pinned by a digest", wanted, ref)
	case o.Overlay == Kind && pinned:
		// A node finds an image from an archive by its tag alone.
		return "", fmt.Errorf("image %q: %s has a digest, but a loaded image is found by its tag alone", wanted, ref)
	case tagOf(ref) == "":
		return "", fmt.Errorf("image %q: %s has no tag", wanted, ref)
	}
	return ref, nil
}

// tagOf returns the tag of repository:tag@digest, "" without a tag.
func tagOf(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	// A colon in front of the last slash belongs to a registry's port.
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		return ref[i+1:]
	}
	return ""
}

// podTemplate returns the template of the object's pods, nil for objects without pods.
func podTemplate(object map[string]any) map[string]any {
	switch object["kind"] {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job":
		return dig(object, "spec", "template")
	case "CronJob":
		return dig(object, "spec", "jobTemplate", "spec", "template")
	case "Pod":
		return object
	}
	return nil
}

// dig follows keys through nested objects; nil when a key is missing.
func dig(object map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		object, _ = object[key].(map[string]any)
	}
	return object
}
