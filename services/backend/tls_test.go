package main

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls/mutualtlstest"
)

// Every listener of the backend wants a client's certificate.
func TestMutualTLS(t *testing.T) {
	noExporters(t)
	ours := mutualtlstest.NewAuthority(t)
	profiles := mutualtlstest.FreeAddress(t)
	env := environment{"DATABASE_PATH": filepath.Join(t.TempDir(), "users.db"), "PPROF_ADDR": profiles}
	maps.Copy(env, mutualtlstest.Environment(ours.Issue(t)))
	base, stop := start(t, env, &buffer{})
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	base = "https" + strings.TrimPrefix(base, "http")
	ours.CheckGuarded(t, base+"/users/1")
	ours.CheckGuarded(t, "https://"+profiles+"/debug/pprof/")
}
