// Package postgrestest runs a PostgreSQL server for tests, from the programs of the
// system.
package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running server.
type Server struct {
	dir     string
	program string
	port    int
	cmd     *exec.Cmd
	made    atomic.Int64
}

// Start starts a server that ends with the test. It skips the test if the system has no
// PostgreSQL.
func Start(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	programs := find(t)
	// Short, because the socket of the server is in it and its path may not be long.
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // its folders have long names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{dir: dir, program: filepath.Join(programs, "postgres"), port: freePort(t)}
	if err := s.own(); err != nil {
		t.Fatal(err)
	}
	initdb := exec.Command(filepath.Join(programs, "initdb"), "--pgdata="+s.data(), "--username=lab", "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8")
	if out, err := s.run(initdb); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Resume(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// find returns the folder of the programs.
func find(t testing.TB) string {
	if program, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(program)
	}
	// Debian has them beside the path, a folder for each version.
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("no PostgreSQL: apt-get install postgresql")
	}
	return filepath.Dir(found[len(found)-1])
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) run(cmd *exec.Cmd) (out []byte, err error) {
	s.asOwner(cmd)
	cmd.Dir = s.dir
	return cmd.CombinedOutput()
}

// Resume starts the server after [Server.Stop].
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	var said bytes.Buffer
	s.cmd = exec.Command(s.program, "-D", s.data(), "-k", s.dir, "-h", "127.0.0.1", "-p", fmt.Sprint(s.port), "-F", "-c", "max_connections=60", "-c", "shared_buffers=16MB")
	s.asOwner(s.cmd)
	s.cmd.Dir, s.cmd.Stderr = s.dir, &said
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), s.url("postgres"))
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not answer: %v\n%s", err, said.String())
		}
	}
}

// Stop ends the server, and the connections to it.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(os.Interrupt) // "fast shutdown"
	if err := s.cmd.Wait(); err != nil && !strings.Contains(err.Error(), "exit status") {
		t.Error(err)
	}
	s.cmd = nil
}

// Database makes a new, empty database, and returns its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("users%d", s.made.Add(1))
	conn, err := pgx.Connect(t.Context(), s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.url(name)
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://lab@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}
