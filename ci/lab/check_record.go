package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/arrival"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/record"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// recorder writes what a case's run has sent into the case's file.
type recorder struct {
	judged query.Stores
	asked  query.Stores
}

// unnamed is how long a run without an id is given: nothing tells when its telemetry is
// complete.
const unnamed = 5 * time.Second

// record waits until the run's telemetry is complete, and writes it down.
func (r recorder) record(ctx context.Context, c cases.Case, scope judge.Scope) (string, error) {
	var err error
	if scope.RunID == "" {
		err = wait.For(ctx, unnamed)
	} else {
		_, err = arrival.Settle(ctx, r.asked, arrival.Run{ID: scope.RunID, Since: scope.Since})
	}
	if err != nil {
		return "", err
	}
	seen, err := record.Look(ctx, r.judged, scope, "")
	if err != nil {
		return "", err
	}
	file, err := os.ReadFile(c.At.File)
	if err != nil {
		return "", err
	}
	changed, err := seen.Into(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.At.File, err)
	}
	return fmt.Sprintf("%s: %s", c.At.File, counted(seen)), replaceFile(c.At.File, changed)
}

// counted says what was seen.
func counted(s record.Seen) string {
	return fmt.Sprintf("%d shapes of traces, %d log lines, %d metrics", len(s.Trees), len(s.Lines), len(s.Metrics))
}

// replaceFile writes a file as a whole or not at all.
func replaceFile(name string, content []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.partial")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(info.Mode()), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}

// initSince is how far back a first case looks.
const initSince = 15 * time.Minute

// initCase writes a first case for a service that is sending.
func (e *env) initCase(ctx context.Context, f *checkFlags, paths []string) error {
	if len(paths) > 1 {
		return usageError{fmt.Errorf("--init writes one case: name one file, not %d", len(paths))}
	}
	if len(paths) == 1 {
		if _, err := os.Lstat(paths[0]); err == nil {
			return fmt.Errorf("%s exists, and is not overwritten: name another file, or run the case with --record", paths[0])
		}
	}
	at, err := e.labForApplication(ctx, &f.up)
	if err != nil {
		return err
	}
	seen, err := record.Look(ctx, judgedStores(at), judge.Scope{RunID: f.runID, Since: time.Now().Add(-initSince)}, f.init)
	if err != nil {
		return err
	}
	if seen.Empty() {
		return fmt.Errorf("nothing of the service %q has arrived in the last %v; `lab services` lists those that send", f.init, initSince)
	}
	first, err := seen.First(f.init)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		_, err = e.stdout.Write(first)
		return err
	}
	if err := os.WriteFile(paths[0], first, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s is a first case for %s: %s. Read it, and say with input: or run: how the service is driven.\n", paths[0], f.init, counted(seen))
	return nil
}
