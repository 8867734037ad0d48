package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/services/internal/postgres/postgrestest"
)

// answer returns the status and the body of a request.
func answer(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// The users move from an SQLite file to PostgreSQL, and two backends then serve them. While
// the server is away both answer 503, and are not ready.
func TestPostgres(t *testing.T) {
	server := postgrestest.Start(t)
	noExporters(t)
	url, path := server.Database(t), filepath.Join(t.TempDir(), "users.db")
	told := &account{created: map[string]int64{}}
	sqlite := startProcess(t, path)
	told.writeUntil(sqlite.address(t), told.whenThereAre(20), func() {})
	migrate := func() (string, error) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self, "migrate-database")
		cmd.Env = append(os.Environ(), asBackend+"=1", "DATABASE_PATH="+path, "DATABASE_URL="+url)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if said, err := migrate(); err == nil || !strings.Contains(said, "stop it first") {
		t.Errorf("migrate-database while the backend serves: %v %s", err, said)
	}
	sqlite.kill()
	if said, err := migrate(); err != nil || !strings.Contains(said, fmt.Sprintf("copied %d users", len(told.created)+12)) {
		t.Fatalf("migrate-database: %v %s, want %d users", err, said, len(told.created)+12)
	}
	var bases []string
	for range 2 {
		base, stop := start(t, environment{"DATABASE_URL": url}, &buffer{})
		t.Cleanup(func() { _ = stop() })
		bases = append(bases, base)
	}
	for email, id := range told.created {
		if status, body := answer(t, "GET", fmt.Sprintf("%s/users/%d", bases[0], id), ""); status != 200 || !strings.Contains(body, email) {
			t.Fatalf("user %d: %d %s, want %s", id, status, body, email)
		}
	}
	const user = `{"name":"Dan","email":"dan@example.com"}`
	if status, body := answer(t, "POST", bases[0]+"/users", user); status != 201 {
		t.Errorf("POST = %d %s", status, body)
	}
	if status, body := answer(t, "POST", bases[1]+"/users", user); status != 409 {
		t.Errorf("POST of the same address to the other backend = %d %s", status, body)
	}
	server.Stop(t)
	for _, base := range bases {
		for _, target := range []string{"/users", "/users/1", "/stats", "/ready"} {
			if status, body := answer(t, "GET", base+target, ""); status != 503 {
				t.Errorf("GET %s = %d %s without a server", target, status, body)
			}
		}
		if status, body := answer(t, "GET", base+"/health", ""); status != 200 {
			t.Errorf("GET /health = %d %s without a server", status, body)
		}
	}
	server.Resume(t)
	for _, base := range bases {
		eventually(t, "the backend is ready again", func() bool { status, _ := answer(t, "GET", base+"/ready", ""); return status == 200 })
		if status, body := answer(t, "GET", base+"/users/1", ""); status != 200 {
			t.Errorf("GET /users/1 = %d %s after the server has come back", status, body)
		}
	}
}
