package local

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// layout is the lab's folder:
//
//	state.json     what runs
//	lock           held by the `lab` that changes something
//	bin/           the services' programs
//	config/        the configuration that runs, a copy of the checkout's
//	config/rules/  Mimir's rules, in a folder for their tenant
//	data/NAME/     what each component stores
//	logs/NAME.log  what each component prints
type layout struct{ dir string }

func (l layout) state() string             { return filepath.Join(l.dir, "state.json") }
func (l layout) lock() string              { return filepath.Join(l.dir, "lock") }
func (l layout) bin(name string) string    { return filepath.Join(l.dir, "bin", name) + exeSuffix }
func (l layout) data(name string) string   { return filepath.Join(l.dir, "data", name) }
func (l layout) logs() string              { return filepath.Join(l.dir, "logs") }
func (l layout) log(name string) string    { return filepath.Join(l.logs(), name+".log") }
func (l layout) config(file string) string { return filepath.Join(l.dir, "config", file) }
func (l layout) rules() string             { return l.config("rules") }
func (l layout) dashboards() string        { return l.config("dashboards") }

// configOf returns the component's configuration file, "" when it has none.
func (l layout) configOf(name string) string {
	switch name {
	case target.Loki, target.Tempo, target.Mimir:
		return l.config(name + ".yaml")
	case target.Alloy:
		return l.config("alloy.alloy")
	}
	return ""
}

// reads returns the files that the component reads when it starts, in order: its
// configuration and, of Mimir, the rules.
func (l layout) reads(name string) ([]string, error) {
	var files []string
	if config := l.configOf(name); config != "" {
		files = append(files, config)
	}
	if name != target.Mimir {
		return files, nil
	}
	rules, err := os.ReadDir(filepath.Join(l.rules(), tenant))
	for _, r := range rules {
		files = append(files, filepath.Join(l.rules(), tenant, r.Name()))
	}
	return files, err
}

// create makes the folders, and copies the checkout's configuration: what runs
// is then what the fingerprints were taken of, whatever is edited meanwhile.
func (l layout) create(root string) error {
	for _, dir := range []string{"bin", "config", "logs"} {
		if err := os.MkdirAll(filepath.Join(l.dir, dir), 0o755); err != nil {
			return fmt.Errorf("making the lab's folder: %w", err)
		}
	}
	for _, name := range order {
		if err := os.MkdirAll(l.data(name), 0o755); err != nil {
			return fmt.Errorf("making the lab's folder: %w", err)
		}
	}
	for from, to := range map[string]string{
		"loki/loki.yaml":     l.configOf(target.Loki),
		"tempo/tempo.yaml":   l.configOf(target.Tempo),
		"mimir/mimir.yaml":   l.configOf(target.Mimir),
		"alloy/config.alloy": l.configOf(target.Alloy),
	} {
		raw, err := os.ReadFile(filepath.Join(root, "config", filepath.FromSlash(from)))
		if err != nil {
			return fmt.Errorf("reading the lab's configuration (is this a checkout of the lab?): %w", err)
		}
		if err := os.WriteFile(to, raw, 0o644); err != nil {
			return err
		}
	}
	if err := copyFiles(filepath.Join(root, "config", "mimir", "rules"), "*.yaml", filepath.Join(l.rules(), tenant)); err != nil {
		return fmt.Errorf("copying Mimir's rules: %w", err)
	}
	if err := copyFiles(filepath.Join(root, "dashboards"), "*.json", l.dashboards()); err != nil {
		return fmt.Errorf("copying Grafana's dashboards: %w", err)
	}
	return l.copyProvisioning(filepath.Join(root, "config", "grafana", "provisioning"))
}

// tenant is whom Mimir takes everybody for while it has one tenant only.
const tenant = "anonymous"

// copyFiles makes the folder to anew, with copies of those files in from whose
// names match the pattern.
func copyFiles(from, pattern, to string) error {
	names, err := fs.Glob(os.DirFS(from), pattern)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), raw, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (l layout) copyProvisioning(from string) error {
	to := l.config("provisioning")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	err := os.CopyFS(to, os.DirFS(from))
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("copying Grafana's provisioning: %w", err)
	}
	return nil
}

// size is the number of bytes under the folder.
func size(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // a file may vanish while a backend compacts
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}
