package workflow

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
)

// permissive are the licenses that a package of an example may have: docs/licenses.md.
var permissive = []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "ISC", "MIT"}

// The lock of each example has the hash of every package, names no registry, and has
// packages under permissive licenses alone.
func TestNpmPackagesArePinned(t *testing.T) {
	manifests, err := filepath.Glob(filepath.Join(checkout, "examples", "*", "package.json"))
	if err != nil || len(manifests) < 2 {
		t.Fatalf("%d examples with packages, %v", len(manifests), err)
	}
	for _, manifest := range manifests {
		name := "examples/" + filepath.Base(filepath.Dir(manifest)) + "/package-lock.json"
		var lock struct {
			Packages map[string]struct {
				Integrity, Resolved, License string
			} `json:"packages"`
		}
		if err := json.Unmarshal([]byte(read(t, name)), &lock); err != nil || len(lock.Packages) < 2 {
			t.Errorf("%s: %d packages, %v", name, len(lock.Packages), err)
		}
		for path, p := range lock.Packages {
			if path == "" {
				continue // the example itself
			}
			if p.Integrity == "" || p.Resolved != "" {
				t.Errorf("%s: %s has the hash %q and the address %q, want a hash alone", name, path, p.Integrity, p.Resolved)
			}
			if !slices.Contains(permissive, p.License) {
				t.Errorf("%s: the license of %s is %q", name, path, p.License)
			}
		}
	}
}
