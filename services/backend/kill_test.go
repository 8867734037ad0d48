package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// asBackend is the variable that makes this test program the backend.
const asBackend = "TEST_RUN_AS_BACKEND"

func TestMain(m *testing.M) {
	if os.Getenv(asBackend) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// killsVariable is how often TestKill kills the backend.
const killsVariable = "BACKEND_KILLS"

// TestKill kills the backend again and again, while clients create and delete users. After
// each kill the files must hold every user whose creation was answered with 201, none
// whose deletion was answered with 204, and no user by halves. A request without an answer
// may have been done or not.
//
//	BACKEND_KILLS=100 go test -count 1 -v -run TestKill ./services/backend
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	kills := 10
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", killsVariable, err)
		}
	}
	path := filepath.Join(t.TempDir(), "users.db")
	told := &account{created: map[string]int64{}}
	for kill := range kills {
		backend := startProcess(t, path)
		if kill%5 == 4 {
			// In its start, which recovers the log of the process before.
			time.Sleep(rand.N(100 * time.Millisecond))
		} else {
			told.writeUntil(backend.address(t), time.After(rand.N(400*time.Millisecond)), backend.kill)
		}
		backend.kill()
		told.check(t, path)
		if t.Failed() {
			t.Fatalf("after kill %d of %d", kill+1, kills)
		}
	}
	t.Logf("%d kills: %d users created, %d deleted; of %d requests without an answer, %d were done and %d were not",
		kills, len(told.created)+told.deletions, told.deletions, told.done+told.undone, told.done, told.undone)
	if len(told.created) == 0 || told.deletions == 0 {
		t.Error("no user was created, or none was deleted: the test cannot fail")
	}
}

// process is a backend of its own.
type process struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	stderr bytes.Buffer
	once   sync.Once
}

func startProcess(t *testing.T, path string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), asBackend+"=1", "DATABASE_PATH="+path, "LISTEN_ADDR=127.0.0.1:0", "OTEL_SDK_DISABLED=true")
	p.cmd.Stderr = &p.stderr
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// address waits until the process listens, and returns its base URL.
func (p *process) address(t *testing.T) string {
	t.Helper()
	lines := bufio.NewScanner(p.stdout)
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Msg == "listening" {
			go func() { _, _ = io.Copy(io.Discard, p.stdout) }()
			return "http://" + line.Address
		}
	}
	p.kill()
	t.Fatalf("the backend ended before it listened: %v %s", lines.Err(), p.stderr.String())
	return ""
}

// kill ends the process as kill -9 does, and waits for its end.
func (p *process) kill() {
	p.once.Do(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
}

// account is what the backend has told its clients.
type account struct {
	mu        sync.Mutex
	created   map[string]int64 // the ids of users that must be there, by e-mail address
	creating  []string         // creations without an answer
	deleting  []string         // deletions without an answer
	deleted   []string         // since the last check
	deletions int
	next      int // the number of the next user

	done, undone int // requests without an answer, by what came of them
}

// writeUntil lets several clients write until the time comes, and then calls end, while
// they are writing.
func (a *account) writeUntil(base string, when <-chan time.Time, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
			defer client.CloseIdleConnections()
			for i := 0; ctx.Err() == nil; i++ {
				if !a.create(client, base) || i%3 == 0 && !a.delete(client, base) {
					return
				}
			}
		})
	}
	<-when
	end()
	cancel()
	clients.Wait()
}

// whenThereAre returns a channel that is closed when so many users have been created and
// not deleted, or after half a minute.
func (a *account) whenThereAre(users int) <-chan time.Time {
	there := make(chan time.Time)
	go func() {
		defer close(there)
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			a.mu.Lock()
			enough := len(a.created) >= users
			a.mu.Unlock()
			if enough {
				return
			}
		}
	}()
	return there
}

// create creates the next user, and reports whether there was an answer.
func (a *account) create(client *http.Client, base string) bool {
	a.mu.Lock()
	a.next++
	email := fmt.Sprintf("%d@example.com", a.next)
	a.mu.Unlock()
	body := fmt.Sprintf(`{"name":%q,"email":%q}`, nameOf(email), email)
	res, err := client.Post(base+"/users", "application/json", strings.NewReader(body))
	var user struct{ ID int64 }
	if err == nil {
		if res.StatusCode == http.StatusCreated {
			// The status is the promise, even if the rest of the answer does not arrive.
			user.ID, _ = strconv.ParseInt(strings.TrimPrefix(res.Header.Get("Location"), "/users/"), 10, 64)
		}
		_ = res.Body.Close()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if user.ID == 0 {
		a.creating = append(a.creating, email)
		return err == nil
	}
	a.created[email] = user.ID
	return true
}

// delete deletes any user, and reports whether there was an answer.
func (a *account) delete(client *http.Client, base string) bool {
	a.mu.Lock()
	var email string
	var id int64
	for email, id = range a.created {
		delete(a.created, email)
		break
	}
	a.mu.Unlock()
	if id == 0 {
		return true
	}
	req, err := http.NewRequest(http.MethodDelete, fmt.Sprintf("%s/users/%d", base, id), nil)
	if err != nil {
		panic(err)
	}
	res, err := client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil || res.StatusCode != http.StatusNoContent {
		a.deleting = append(a.deleting, email)
		return err == nil
	}
	a.deleted = append(a.deleted, email)
	a.deletions++
	return true
}

// nameOf is a long name that tells whose it is.
func nameOf(email string) string {
	return "N" + strings.Repeat("o", 80) + strings.TrimSuffix(email, "@example.com")
}

// check compares the files that a killed process has left with what it has told. It opens
// copies, so that the next process finds the files as they were left.
func (a *account) check(t *testing.T, path string) {
	t.Helper()
	found := readUsers(t, path)
	for email, id := range a.created {
		if found[email] != id {
			t.Errorf("the creation of %s was answered with 201 and the id %d, and the database has the id %d", email, id, found[email])
		}
		delete(found, email)
	}
	for _, email := range a.deleted {
		if id, there := found[email]; there {
			t.Errorf("the deletion of %s was answered with 204, and the database has it as %d", email, id)
		}
	}
	for _, email := range append(a.creating, a.deleting...) {
		id, there := found[email]
		if delete(found, email); there {
			a.created[email] = id
		}
	}
	for _, email := range a.creating {
		if a.created[email] != 0 {
			a.done++
		} else {
			a.undone++
		}
	}
	for _, email := range a.deleting {
		if a.created[email] == 0 {
			a.done++
		} else {
			a.undone++
		}
	}
	for email := range found {
		t.Errorf("the database has %s, whose creation was never asked for", email)
	}
	a.creating, a.deleting, a.deleted = nil, nil, nil
}

// readUsers returns the ids of the users in a copy of the database, by e-mail address,
// without the sample users. It has SQLite check the copy.
func readUsers(t *testing.T, path string) map[string]int64 {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "users.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue // killed before it made the file
		}
		if err == nil {
			err = os.WriteFile(copied+suffix, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", copied)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity_check: %s, %v", result, err)
	}
	found := map[string]int64{}
	rows, err := db.Query("SELECT id, name, email, email_key, created_at FROM users WHERE id > 12")
	if err != nil {
		if strings.Contains(err.Error(), "no such table") {
			return found
		}
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name, email, key string
		var created time.Time
		if err := rows.Scan(&id, &name, &email, &key, &created); err != nil {
			t.Fatal(err)
		}
		if name != nameOf(email) || key != email || time.Since(created).Abs() > time.Hour {
			t.Errorf("half a user: %d %q %q %q %v", id, name, email, key, created)
		}
		found[email] = id
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}
