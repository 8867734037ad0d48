package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// The registries' own keychain finds the login, for that registry alone, and nothing
// of it stays.
func TestLogIn(t *testing.T) {
	for _, publish := range []string{"registry.example:5000/team/lab", "team/lab"} {
		o := Options{Publish: publish, Login: &Login{"ada", "s3cret"}}
		forget, err := o.logIn()
		if err != nil {
			t.Fatal(err)
		}
		dir, _ := strings.CutPrefix(o.env[len(o.env)-1], "DOCKER_CONFIG=")
		t.Setenv("DOCKER_CONFIG", dir)
		for repository, want := range map[string]string{publish + "/frontend": "ada", "elsewhere.example/lab": ""} {
			r, err := name.NewRepository(repository)
			if err != nil {
				t.Fatal(err)
			}
			found, err := authn.DefaultKeychain.Resolve(r)
			if err != nil {
				t.Fatal(err)
			}
			auth, err := found.Authorization()
			if err != nil || auth.Username != want {
				t.Errorf("the login for %s is %q, %v; want %q", repository, auth.Username, err, want)
			}
		}
		if info, err := os.Stat(filepath.Join(dir, "config.json")); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("the file with the password: %v, %v", info, err)
		}
		forget()
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Error("the password stays")
		}
	}
}
