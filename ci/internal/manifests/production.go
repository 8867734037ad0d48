package manifests

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// settingsFile is the file of the settings of the overlay [Production], in the tree.
var settingsFile = path.Join(treeRoot, "config", "kubernetes", "overlays", Production, "settings.env")

// production adds to the kustomization what the size and the settings ask for, and returns
// the settings.
func (o Options) production(k *types.Kustomization, tree filesys.FileSystem) (map[string]string, error) {
	raw, err := tree.ReadFile(settingsFile)
	if err != nil {
		return nil, err
	}
	settings, err := ReadSettings(string(raw))
	if err != nil {
		return nil, err
	}
	if settings, err = replaceSettings(settings, o.Settings); err != nil {
		return nil, err
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&lines, "%s=%s\n", name, settings[name])
	}
	if err := tree.WriteFile(settingsFile, []byte(lines.String())); err != nil {
		return nil, err
	}
	if size := cmp.Or(o.Size, Medium); size != Small {
		k.Components = append(k.Components, component("size-"+size))
	}
	if class := settings["STORAGE_CLASS"]; class != "" {
		k.Patches = append(k.Patches, storageClass("StatefulSet", "/spec/volumeClaimTemplates/0/spec/storageClassName", class),
			storageClass("PersistentVolumeClaim", "/spec/storageClassName", class))
	}
	return settings, openOutwards(k, settings)
}

// ReadSettings reads a file of settings: lines NAME=VALUE, and comments that begin with #.
func ReadSettings(text string) (map[string]string, error) {
	settings := map[string]string{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("settings: line %d is not NAME=VALUE", n)
		}
		settings[name] = value
	}
	return settings, nil
}

// replaceSettings returns the settings with other values. It refuses a name that is not there.
func replaceSettings(settings, by map[string]string) (map[string]string, error) {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if _, known := settings[name]; !known {
			errs = append(errs, fmt.Errorf("there is no setting %s; there are %s", name, strings.Join(slices.Sorted(maps.Keys(settings)), ", ")))
			continue
		}
		settings[name] = by[name]
	}
	return settings, errors.Join(errs...)
}

// storageClass returns a patch that gives all objects of the kind the class.
func storageClass(kind, at, class string) types.Patch {
	return types.Patch{
		Patch:  fmt.Sprintf("- {op: add, path: %s, value: %q}", at, class),
		Target: &types.Selector{ResId: resid.ResId{Gvk: resid.Gvk{Kind: kind}}},
	}
}
