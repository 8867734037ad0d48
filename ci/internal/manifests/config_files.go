package manifests

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// maxFile bounds the size of a file in bytes; the largest, a dashboard, has some 100 KiB.
const maxFile = 1 << 20

// load copies config/ and dashboards/*.json into the tree, and returns the size of each
// file by its slash-separated path.
func load(from fs.FS, tree filesys.FileSystem) (map[string]int, error) {
	files := map[string]int{}
	put := func(name string) error {
		info, err := fs.Stat(from, name)
		if err != nil {
			return err
		}
		if info.Size() > maxFile {
			return fmt.Errorf("%s: larger than %d bytes", name, maxFile)
		}
		raw, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		files[name] = len(raw)
		return tree.WriteFile(path.Join(treeRoot, name), raw)
	}
	err := fs.WalkDir(from, "config", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return put(name)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the configuration (is this a checkout of the lab?): %w", err)
	}
	dashboards, err := fs.Glob(from, "dashboards/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range dashboards {
		if err := put(name); err != nil {
			return nil, fmt.Errorf("reading the dashboards: %w", err)
		}
	}
	return files, nil
}

// The folders of config/grafana/provisioning, and the ConfigMaps in which Grafana's pod
// looks for them. The folder datasources is not here, because the base has it.
var provisioning = map[string]string{
	"dashboards": "grafana-dashboard-providers",
	"alerting":   "grafana-alerting",
	"plugins":    "grafana-plugins",
}

// grafanaFiles returns a ConfigMap for each of these folders that has files.
func grafanaFiles(files map[string]int) []types.ConfigMapArgs {
	byFolder := map[string][]string{}
	for name := range files {
		folder := path.Dir(name)
		if path.Dir(folder) == "config/grafana/provisioning" {
			byFolder[path.Base(folder)] = append(byFolder[path.Base(folder)], name)
		}
	}
	var all []types.ConfigMapArgs
	for _, folder := range slices.Sorted(maps.Keys(provisioning)) {
		if names := byFolder[folder]; len(names) > 0 {
			all = append(all, configMap(provisioning[folder], names))
		}
	}
	return all
}

const (
	// maxConfigMap is the number of bytes of files that fit into a ConfigMap: 1 MiB less
	// the size of its names and of the encoding of its content as JSON.
	maxConfigMap = 700 << 10
	// maxDashboardMaps is the number of ConfigMaps in which Grafana's pod looks for
	// dashboards.
	maxDashboardMaps = 4
)

// dashboardMaps spreads the dashboards over as few ConfigMaps as can hold them.
func dashboardMaps(files map[string]int) ([]types.ConfigMapArgs, error) {
	var groups [][]string
	size := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, "dashboards/") {
			continue
		}
		if len(groups) == 0 || size+files[name] > maxConfigMap {
			groups, size = append(groups, nil), 0
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], name)
		size += files[name]
		if size > maxConfigMap {
			return nil, fmt.Errorf("%s: %d bytes are more than a ConfigMap holds", name, files[name])
		}
	}
	if len(groups) > maxDashboardMaps {
		return nil, fmt.Errorf("the dashboards need %d ConfigMaps, and Grafana's pod has %d: add to config/kubernetes/base/grafana.yaml",
			len(groups), maxDashboardMaps)
	}
	var all []types.ConfigMapArgs
	for i, names := range groups {
		all = append(all, configMap(fmt.Sprintf("grafana-dashboards-%d", i+1), names))
	}
	return all, nil
}

func configMap(name string, files []string) types.ConfigMapArgs {
	slices.Sort(files)
	m := types.ConfigMapArgs{}
	m.Namespace, m.Name = target.NamespaceObservability, name
	for _, file := range files {
		m.FileSources = append(m.FileSources, path.Base(file)+"=../"+file)
	}
	return m
}
