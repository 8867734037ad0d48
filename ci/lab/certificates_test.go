package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/certificates"
)

// The command makes the certificates, renews them, and says what it has done.
func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	made := func(args ...string) certificates.Set {
		t.Helper()
		code, stdout, stderr := lab(t, append([]string{"certificates", "--dir", dir, "-o", "json"}, args...)...)
		var set certificates.Set
		if err := json.Unmarshal([]byte(stdout), &set); code != 0 || err != nil {
			t.Fatalf("exit code %d, %v, it says %q", code, err, stderr)
		}
		return set
	}
	first := made("--valid", "1h", "--name", "lab.example.com")
	for _, c := range first.Certificates {
		if hours := c.NotAfter.Sub(c.NotBefore).Hours(); !c.Issued || hours < 1 || hours > 1.2 {
			t.Errorf("%s: issued %v, valid for %v hours", c.Name, c.Issued, hours)
		}
		if _, err := certificates.Of(dir, c.Name).Config(); err != nil {
			t.Error(err)
		}
	}
	if again := made("--renew"); again.Certificates[0].Issued {
		t.Error("--renew issues what is new")
	}
	all := made("--renew", "--all")
	if c := all.Certificates[0]; !c.Issued || c.Serial == first.Certificates[0].Serial || all.Authority.Serial != first.Authority.Serial {
		t.Errorf("--renew --all: %+v", c)
	}
	if code, stdout, _ := lab(t, "certificates", "--dir", dir); code != 0 || !strings.Contains(stdout, all.Certificates[0].Serial[:16]) {
		t.Errorf("the table: exit code %d, %s", code, stdout)
	}
	refused(t, "--valid 1s", "certificates", "--dir", dir, "--valid", "1s")
	refused(t, "neither a DNS name", "certificates", "--dir", dir, "--name", "a b")
}

// A folder that is somebody else's stays as it is.
func TestCertificatesRefuseForeignFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := lab(t, "certificates", "--dir", dir)
	if _, err := os.Stat(filepath.Join(dir, certificates.Folder)); code != 1 || err == nil || !strings.Contains(stderr, "lab did not make this folder") {
		t.Errorf("exit code %d, it says %q", code, stderr)
	}
}
