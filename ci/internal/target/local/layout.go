package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
)

// layout is the lab's folder:
//
//	lgtm-lab.json  the mark that makes the folder the lab's
//	state.json     what runs
//	lock           held by the `lab` that changes something
//	owner          the `lab` in the foreground that looks after the lab
//	bin/           the services' programs
//	config/        the configuration that runs, a copy of the checkout's or of the program's own
//	certificates/  of a closed lab; see package certificates
//	config/rules/  Mimir's rules, in a folder for their tenant
//	data/NAME/     what each component stores
//	logs/NAME.log  what each component prints
//	tmp/NAME/      temporary files of each component, deleted when it is started
type layout struct{ dir string }

func (l layout) state() string             { return filepath.Join(l.dir, stateName) }
func (l layout) lock() string              { return filepath.Join(l.dir, "lock") }
func (l layout) bin(name string) string    { return filepath.Join(l.dir, "bin", name) + exeSuffix }
func (l layout) data(name string) string   { return filepath.Join(l.dir, "data", name) }
func (l layout) database() string          { return filepath.Join(l.data(target.Backend), "users.db") }
func (l layout) temp(name string) string   { return filepath.Join(l.dir, "tmp", name) }
func (l layout) logs() string              { return filepath.Join(l.dir, "logs") }
func (l layout) log(name string) string    { return filepath.Join(l.logs(), name+".log") }
func (l layout) config(file string) string { return filepath.Join(l.dir, "config", file) }
func (l layout) rules() string             { return l.config("rules") }
func (l layout) dashboards() string        { return l.config("dashboards") }

// databases are the variables that tell the backend where the users are.
func (l layout) databases(url string) []string {
	env := []string{"DATABASE_PATH=" + l.relative(l.database())}
	if url != "" {
		env = append(env, "DATABASE_URL="+url)
	}
	return env
}

// stateName and ownerName are files in the lab's folder.
const (
	stateName = "state.json"
	ownerName = "owner"
)

// stored are what Reset deletes. There may be other things in the folder: images that
// were pulled, and a person's notes.
var stored = []string{"bin", "config", "data", "logs", "tmp"}

// relative is the path of a file in the lab's folder as seen from there, with slashes on
// every system; "" of "".
func (l layout) relative(file string) string {
	if file == "" {
		return ""
	}
	rel, err := filepath.Rel(l.dir, file)
	if err != nil {
		return file
	}
	return filepath.ToSlash(rel)
}

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
// configuration and, of Mimir, the rules, of Alloy, its modules and the values of headers.
func (l layout) reads(name string) ([]string, error) {
	var files []string
	if config := l.configOf(name); config != "" {
		files = append(files, config)
	}
	if name == target.Alloy {
		files = append(files, l.config(receiverFile))
		for _, pattern := range []string{l.config(filepath.Join("copy", "*.alloy")), l.config(filepath.Join("sampling", "*.alloy")), filepath.Join(l.secrets(), "*")} {
			found, err := filepath.Glob(pattern)
			if err != nil {
				return nil, err
			}
			files = append(files, found...)
		}
		return files, nil
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

// create makes the folders, and copies the configuration out of files: what runs is then
// what the fingerprints were taken of, whatever is edited meanwhile. It fails where a
// symbolic link would lead it out of the lab's folder. Alerts about the services are only
// for a lab that has them.
func (l layout) create(folder labdir.Folder, files fs.FS, withServices, closed bool) error {
	into, err := folder.Root()
	if err != nil {
		return err
	}
	defer into.Close()
	folders := []string{"bin/new", "config", "logs"}
	for _, name := range order {
		folders = append(folders, "data/"+name, "tmp/"+name)
	}
	for _, name := range folders {
		if err := into.MkdirAll(name, 0o755); err != nil {
			return fmt.Errorf("making the lab's folder: %w", err)
		}
	}
	from, err := fs.Sub(files, "config")
	if err != nil {
		return err
	}
	for source, component := range map[string]string{
		"loki/loki.yaml":     target.Loki,
		"tempo/tempo.yaml":   target.Tempo,
		"mimir/mimir.yaml":   target.Mimir,
		"alloy/config.alloy": target.Alloy,
	} {
		if err := copyFile(into, l.relative(l.configOf(component)), from, source); err != nil {
			return fmt.Errorf("reading the lab's configuration (is this a checkout of the lab?): %w", err)
		}
	}
	receiver := "alloy/open.alloy"
	if closed {
		receiver = "alloy/closed.alloy"
	}
	if err := copyFile(into, "config/"+receiverFile, from, receiver); err != nil {
		return fmt.Errorf("copying Alloy's receiver: %w", err)
	}
	for _, folder := range []string{"copy", "sampling"} {
		if err := copyFiles(into, "config/"+folder, from, "alloy/"+folder+"/*.alloy"); err != nil {
			return fmt.Errorf("copying Alloy's modules: %w", err)
		}
	}
	if err := copyFiles(into, "config/rules/"+tenant, from, "mimir/rules/*.yaml"); err != nil {
		return fmt.Errorf("copying Mimir's rules: %w", err)
	}
	if !withServices {
		if err := into.Remove("config/rules/" + tenant + "/" + rules.SampleServices); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := copyFiles(into, "config/dashboards", files, "dashboards/*.json"); err != nil {
		return fmt.Errorf("copying Grafana's dashboards: %w", err)
	}
	if err := copyTree(into, "config/provisioning", from, "grafana/provisioning"); err != nil {
		return fmt.Errorf("copying Grafana's provisioning: %w", err)
	}
	return nil
}

// secrets is the folder of the headers' values of a [forward.Endpoint].
func (l layout) secrets() string { return l.config("forward") }

// receiverFile is what Alloy receives with. Alloy loads each .alloy file of the folder.
const receiverFile = "receiver.alloy"

// tenant is the one whom Mimir takes every sender for, while it has one tenant only.
const tenant = "anonymous"

func copyFile(into *os.Root, to string, from fs.FS, name string) error {
	raw, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	return into.WriteFile(to, raw, 0o644)
}

// copyFiles makes the folder to anew, with copies of those files in from whose
// paths match the pattern.
func copyFiles(into *os.Root, to string, from fs.FS, pattern string) error {
	names, err := fs.Glob(from, pattern)
	if err != nil {
		return err
	}
	if err := into.RemoveAll(to); err != nil {
		return err
	}
	if err := into.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		if err := copyFile(into, path.Join(to, path.Base(name)), from, name); err != nil {
			return err
		}
	}
	return nil
}

// copyTree makes the folder to anew, as a copy of the folder name in from; a checkout
// need not have one.
func copyTree(into *os.Root, to string, from fs.FS, name string) error {
	if err := into.RemoveAll(to); err != nil {
		return err
	}
	if _, err := fs.Stat(from, name); os.IsNotExist(err) {
		return into.MkdirAll(to, 0o755)
	}
	return fs.WalkDir(from, name, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := path.Join(to, file[len(name):])
		if d.IsDir() {
			return into.MkdirAll(target, 0o755)
		}
		return copyFile(into, target, from, file)
	})
}
