package mutualtls_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls"
	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls/mutualtlstest"
)

func TestFromEnvironment(t *testing.T) {
	f := mutualtlstest.NewAuthority(t).Issue(t)
	other := mutualtlstest.NewAuthority(t).Issue(t)
	for _, c := range []struct {
		name, cert, key, authority, want string
		none                             bool
	}{
		{name: "none", none: true},
		{name: "all", cert: f.Certificate, key: f.Key, authority: f.Authority},
		{name: "no key", cert: f.Certificate, authority: f.Authority, want: "want all three"},
		{name: "no authority", cert: f.Certificate, key: f.Key, want: "want all three"},
		{name: "another key", cert: f.Certificate, key: other.Key, authority: f.Authority, want: "private key does not match"},
		{name: "a file that is not there", cert: f.Certificate + "x", key: f.Key, authority: f.Authority, want: "tls.crtx"},
		{name: "an authority without a certificate", cert: f.Certificate, key: f.Key, authority: f.Key, want: "has no certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := mutualtls.FromEnvironment(func(name string) string {
				return map[string]string{"TLS_CERT_FILE": c.cert, "TLS_KEY_FILE": c.key, "TLS_CA_FILE": c.authority}[name]
			})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "TLS_CERT_FILE") {
					t.Errorf("error = %v, want one with %q", err, c.want)
				}
				return
			}
			if err != nil || (id == nil) != c.none || (id.Server() == nil) != c.none || (id.Client() == nil) != c.none {
				t.Errorf("= %v, %v", id, err)
			}
		})
	}
}

// Both ends follow the files, and keep the last pair that belonged together.
func TestFilesAreFollowed(t *testing.T) {
	a := mutualtlstest.NewAuthority(t)
	f := a.Issue(t)
	id, err := mutualtls.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		t.Helper()
		served, err := id.Server().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		presented, err := id.Client().GetClientCertificate(nil)
		if err != nil || presented.Leaf.SerialNumber.Cmp(served.Leaf.SerialNumber) != 0 {
			t.Fatalf("the server has %v, the client %v, %v", served.Leaf.SerialNumber, presented, err)
		}
		return served.Leaf.SerialNumber.String()
	}
	first := serial()
	if again := serial(); again != first {
		t.Errorf("without a change: %s, then %s", first, again)
	}
	a.IssueTo(t, f, time.Now(), time.Hour)
	second := serial()
	if second == first {
		t.Error("a renewed certificate is not used")
	}
	// The key of another certificate, as in the midst of a replacement.
	key, err := os.ReadFile(f.Key)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := os.ReadFile(a.Issue(t).Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"another key": func() error { return os.WriteFile(f.Key, strange, 0o600) },
		"no key":      func() error { return os.Remove(f.Key) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if now := serial(); now != second {
			t.Errorf("%s: %s, want that of before", name, now)
		}
	}
	if err := os.WriteFile(f.Key, key, 0o600); err != nil {
		t.Fatal(err)
	}
	a.IssueTo(t, f, time.Now(), time.Hour)
	if now := serial(); now == second {
		t.Error("after the damage, a renewed certificate is not used")
	}
}
