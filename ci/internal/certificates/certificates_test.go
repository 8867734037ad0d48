package certificates

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// labFolder is an empty folder of the lab's.
func labFolder(t *testing.T) labdir.Folder {
	t.Helper()
	folder, err := labdir.Claim(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func mustMake(t *testing.T, folder labdir.Folder, o Options) Set {
	t.Helper()
	set, err := Make(folder, o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// contents are all files in the folder of the certificates.
func contents(t *testing.T, folder labdir.Folder) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := filepath.Join(folder.Path, Folder)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(file)
		rel, _ := filepath.Rel(root, file)
		files[filepath.ToSlash(rel)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// issued are the names of the certificates that the call has made.
func (s Set) issued() (names []string) {
	for _, c := range s.Certificates {
		if c.Issued {
			names = append(names, c.Name)
		}
	}
	return names
}

// leaf reads a certificate.
func leaf(t *testing.T, folder labdir.Folder, name string) *x509.Certificate {
	t.Helper()
	cert, err := readCertificate(rootOf(t, folder), name+"/"+certificateFile)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func rootOf(t *testing.T, folder labdir.Folder) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(filepath.Join(folder.Path, Folder))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// Each component has a certificate for its names that the authority has signed, for both
// ends of a connection; a client has one for its end.
func TestMake(t *testing.T) {
	folder := labFolder(t)
	set := mustMake(t, folder, Options{Names: []string{"lab.example.com", "192.0.2.7"}, Valid: time.Hour})
	if !set.Authority.Issued || len(set.issued()) != len(subjects()) {
		t.Errorf("issued %v, the authority: %v", set.issued(), set.Authority.Issued)
	}
	roots := x509.NewCertPool()
	authority, err := readCertificate(rootOf(t, folder), authorityFile)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(authority)
	for _, sub := range subjects() {
		cert := leaf(t, folder, sub.name)
		options := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if _, err := cert.Verify(options); err != nil {
			t.Errorf("%s as a client: %v", sub.name, err)
		}
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, name := range append(sub.ownNames(), "lab.example.com", "192.0.2.7", "localhost") {
			options.DNSName = name
			if strings.ContainsAny(name, ":") || name[0] >= '0' && name[0] <= '9' {
				options.DNSName = "[" + name + "]"
			}
			if _, err := cert.Verify(options); (err == nil) != sub.serves {
				t.Errorf("%s as the server %s: %v", sub.name, name, err)
			}
		}
		for _, name := range []string{"example.com", "loki.example.com", "[192.0.2.8]"} {
			options.DNSName = name
			if _, err := cert.Verify(options); err == nil {
				t.Errorf("%s passes as the server %s", sub.name, name)
			}
		}
	}
	if runtime.GOOS == "windows" {
		return // where files have no such modes
	}
	for name := range contents(t, folder) {
		info, err := os.Stat(filepath.Join(folder.Path, Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".key") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
	}
}

// The authority may sign for the lab's names alone, whoever has its key.
func TestAuthorityIsBoundToItsNames(t *testing.T) {
	folder := labFolder(t)
	mustMake(t, folder, Options{})
	before := contents(t, folder)
	for _, name := range []string{"login.example.com", "192.0.2.7"} {
		if _, err := Make(folder, Options{Names: []string{name}}); err == nil || !strings.Contains(err.Error(), "made for other names") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !mapsEqual(before, contents(t, folder)) {
		t.Error("a refused name has changed something")
	}
	for _, name := range []string{"", "a b", "-a", "https://a.example.com", strings.Repeat("a", 64)} {
		if _, err := Make(folder, Options{Names: []string{name}}); err == nil {
			t.Errorf("the name %q is taken", name)
		} else if _, ok := errors.AsType[OptionError](err); !ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func mapsEqual(a, b map[string]string) bool {
	for name := range a {
		if a[name] != b[name] {
			return false
		}
	}
	return len(a) == len(b)
}

// reissue replaces a certificate by one that was valid for four minutes from that long ago.
func reissue(t *testing.T, folder labdir.Folder, name string, ago time.Duration) *x509.Certificate {
	t.Helper()
	s, err := open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.root.Close()
	a, err := s.authority(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	have, err := s.pair(a, name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	old, err := a.issue(subject{name, len(namesOf(have.cert)) > 0}, namesOf(have.cert), have, 4*time.Minute, time.Now().Add(-ago))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(name, a, old); err != nil {
		t.Fatal(err)
	}
	return old.cert
}

// A second call changes nothing; a renewal changes what it should, by the same authority
// and for the same keys.
func TestRenewal(t *testing.T) {
	folder := labFolder(t)
	mustMake(t, folder, Options{Valid: time.Hour, Names: []string{"lab.example.com"}})
	first := contents(t, folder)
	for _, renew := range []Renewal{None, Due} {
		if set := mustMake(t, folder, Options{Renew: renew}); set.Authority.Issued || len(set.issued()) != 0 || !mapsEqual(first, contents(t, folder)) {
			t.Errorf("renewal %d of new certificates issued %v", renew, set.issued())
		}
	}
	// Of two: one that is due, and one that is not.
	old := reissue(t, folder, "loki", 3*time.Minute)
	if set := mustMake(t, folder, Options{}); len(set.issued()) != 0 {
		t.Errorf("without a renewal: %v", set.issued())
	}
	set := mustMake(t, folder, Options{Renew: Due})
	if !slices.Equal(set.issued(), []string{"loki"}) {
		t.Errorf("due: %v", set.issued())
	}
	renewed := contents(t, folder)
	for name := range renewed {
		if changed := renewed[name] != first[name]; changed != (name == "loki/tls.crt") {
			t.Errorf("%s has changed: %v", name, changed)
		}
	}
	if cert := leaf(t, folder, "loki"); cert.SerialNumber.Cmp(old.SerialNumber) == 0 || cert.VerifyHostname("lab.example.com") != nil {
		t.Errorf("renewed: serial %v, names %v", cert.SerialNumber, cert.DNSNames)
	}
	if set := mustMake(t, folder, Options{Renew: All}); len(set.issued()) != len(subjects()) || set.Authority.Issued {
		t.Errorf("all: %v", set.issued())
	}
	for name, content := range contents(t, folder) {
		if changed := content != renewed[name]; changed != strings.HasSuffix(name, "/"+certificateFile) {
			t.Errorf("all: %s has changed: %v", name, changed)
		}
	}
}

// What is broken is made anew, and nothing else.
func TestBrokenFiles(t *testing.T) {
	folder := labFolder(t)
	mustMake(t, folder, Options{})
	other := labFolder(t)
	mustMake(t, other, Options{})
	foreign := contents(t, other)
	for name, damage := range map[string]func(file string) error{
		"a certificate that is cut short": func(file string) error { return os.Truncate(file+"/tls.crt", 100) },
		"no certificate":                  func(file string) error { return os.Remove(file + "/tls.crt") },
		"no key":                          func(file string) error { return os.Remove(file + "/tls.key") },
		"a key of another":                func(file string) error { return os.WriteFile(file+"/tls.key", []byte(foreign["tempo/tls.key"]), 0o600) },
		"a pair of another authority": func(file string) error {
			return errors.Join(os.WriteFile(file+"/tls.key", []byte(foreign["tempo/tls.key"]), 0o600), os.WriteFile(file+"/tls.crt", []byte(foreign["tempo/tls.crt"]), 0o600))
		},
		"no folder": os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(filepath.Join(folder.Path, Folder, "tempo")); err != nil {
				t.Fatal(err)
			}
			if set := mustMake(t, folder, Options{}); !slices.Equal(set.issued(), []string{"tempo"}) || set.Authority.Issued {
				t.Errorf("issued %v", set.issued())
			}
			if set := mustMake(t, folder, Options{}); len(set.issued()) != 0 {
				t.Errorf("issued again: %v", set.issued())
			}
			if _, err := Of(folder.Path, "tempo").Config(); err != nil {
				t.Error(err)
			}
		})
	}
}

// An authority whose key is elsewhere still answers for what it has signed, and signs
// nothing more. A wrong one is refused.
func TestAuthorityKey(t *testing.T) {
	folder := labFolder(t)
	mustMake(t, folder, Options{})
	key := filepath.Join(folder.Path, Folder, authorityKey)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if set := mustMake(t, folder, Options{}); len(set.issued()) != 0 {
		t.Errorf("issued %v without the key", set.issued())
	}
	if _, err := Make(folder, Options{Renew: All}); err == nil || !strings.Contains(err.Error(), "key, ca.key, is not there") {
		t.Errorf("a renewal without the key: %v", err)
	}
	other := labFolder(t)
	mustMake(t, other, Options{})
	if err := os.WriteFile(key, []byte(contents(t, other)[authorityKey]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(folder, Options{}); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("with the key of another: %v", err)
	}
}

// Files that lab has not made stay as they are.
func TestForeignFolder(t *testing.T) {
	folder := labFolder(t)
	mine := filepath.Join(folder.Path, Folder)
	if err := os.MkdirAll(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(mine, "server.crt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(folder, Options{}); err == nil || !strings.Contains(err.Error(), `holds "server.crt"`) {
		t.Errorf("= %v", err)
	}
	if have := contents(t, folder); len(have) != 1 || have["server.crt"] != "mine" {
		t.Errorf("it holds %v", have)
	}
	// What a killed call has left is no such file.
	if err := os.Rename(filepath.Join(mine, "server.crt"), filepath.Join(mine, authorityKey)); err != nil {
		t.Fatal(err)
	}
	mustMake(t, folder, Options{})
}
