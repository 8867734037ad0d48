package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The users of a backup come back while the lab serves; a damaged backup changes nothing.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	users := fmt.Sprintf("http://127.0.0.1:%d/users", l.ports.Backend)
	create := func(name string) string {
		t.Helper()
		body := fmt.Sprintf(`{"name":%q,"email":"%s-%s@example.com"}`, name, name, randomID(4))
		res, err := http.Post(users, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusCreated {
			t.Fatalf("POST %s = %d", users, res.StatusCode)
		}
		return strings.TrimSuffix(users, "/users") + res.Header.Get("Location")
	}
	status := func(method, url string) int {
		t.Helper()
		req, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	before := create("Before")
	file := filepath.Join(t.TempDir(), "users.backup")
	l.lab("backup", file)
	if _, said, code := l.try("backup", file); code != 1 || !strings.Contains(said, "--overwrite") {
		t.Errorf("a second backup to the same file: exit code %d, %s", code, said)
	}
	l.lab("backup", file, "--overwrite")
	after := create("After")
	if got := status("DELETE", before); got != http.StatusNoContent {
		t.Fatalf("DELETE = %d", got)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.backup")
	content[len(content)/2] ^= 1
	if err := os.WriteFile(damaged, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, said, code := l.try("restore", damaged); code != 1 || !strings.Contains(said, "damaged") || status("GET", after) != http.StatusOK {
		t.Errorf("restore of a damaged backup: exit code %d, %s", code, said)
	}
	if said := l.lab("restore", file); !strings.Contains(said, "deleted since the backup: 1.") {
		t.Errorf("restore says %s", said)
	}
	if got := [2]int{status("GET", before), status("GET", after)}; got != [2]int{http.StatusOK, http.StatusNotFound} {
		t.Errorf("after the restore the users from before and after the backup are %v, want 200 and 404", got)
	}
	if got := status("DELETE", before); got != http.StatusNoContent {
		t.Errorf("DELETE = %d after the restore", got)
	}
}
