package checkout

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the lab reads of a checkout is built in: every file of config/ but Go's and
// the tests of the rules, and every dashboard.
func TestBuiltInIsTheCheckout(t *testing.T) {
	here, built := Find(), BuiltIn()
	if here.Root == "" {
		t.Fatal("the test does not run in a checkout")
	}
	compared := 0
	for _, folder := range []string{"config", "dashboards"} {
		err := fs.WalkDir(here, folder, func(name string, d fs.DirEntry, err error) error {
			isRulesTest := strings.HasPrefix(name, "config/mimir/rules/tests/")
			isOther := folder == "dashboards" && path.Ext(name) != ".json"
			if err != nil || d.IsDir() || path.Ext(name) == ".go" || isRulesTest || isOther {
				return err
			}
			want, err := fs.ReadFile(here, name)
			if err != nil {
				return err
			}
			compared++
			if has, err := fs.ReadFile(built, name); err != nil || !bytes.Equal(has, want) {
				t.Errorf("%s is not built in as it is in the checkout (error %v): add it to what config/config.go embeds", name, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if compared < 20 {
		t.Errorf("only %d files were compared", compared)
	}
}

func TestFindOutsideOfACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	if f := Find(); f.Root != "" {
		t.Errorf("the checkout of an empty folder is %s", f.Root)
	}
	_, err := Root()
	if err == nil || !strings.Contains(err.Error(), "git clone https://github.com/lgtm-lab/lgtm-lab") {
		t.Errorf("Root() = %v, which does not say how to get a checkout", err)
	}
}

// A checkout's own files win, also those that were edited after the program was built.
func TestFindInACheckout(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "services", "frontend")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module "+Module+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "config"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "config", "images.json"), []byte("edited"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	got, err := fs.ReadFile(Find(), "config/images.json")
	if err != nil || string(got) != "edited" {
		t.Errorf("config/images.json is %q, error %v", got, err)
	}
}
