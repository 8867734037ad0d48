package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// To bring a lab up takes longer than most tests that send something to it. Tests that
// leave a lab's processes and flags as they are borrow a lab, one test after another.

// idle are the labs that no test has at the moment.
var idle struct {
	sync.Mutex
	labs []*testLab
}

// borrowLab lends a lab to the test, and takes it back when the test ends. No other test uses
// the lab in the meantime. It has the data of other tests: ask for names that are the test's
// own. [testLab.counter] counts from here. A lab in which a test failed is not lent again.
func borrowLab(t *testing.T) *testLab {
	t.Helper()
	needStack(t)
	l := takeIdle(t.Name())
	if l == nil {
		// The lab outlives this test, so that t.TempDir would be too short-lived.
		l = &testLab{dir: filepath.Join(workDir, "borrowed-"+randomID(4)), had: map[string]bool{}}
	}
	l.T, l.had[t.Name()] = t, true
	t.Cleanup(func() {
		if t.Failed() {
			l.printLogs()
			l.down()
			return
		}
		idle.Lock()
		defer idle.Unlock()
		idle.labs = append(idle.labs, l)
	})
	if l.ports == (target.Ports{}) {
		l.up()
	}
	t.Cleanup(func() { // what this test has sent must not be counted in the next
		if !t.Failed() {
			l.eventually("Alloy's queues are empty", func() bool { return l.value(target.Alloy, "otelcol_exporter_queue_size") == 0 })
		}
	})
	l.before = map[string]string{}
	for _, name := range []string{target.Alloy, target.Loki, target.Tempo, target.Mimir} {
		l.before[name] = l.ownMetrics(name)
	}
	return l
}

// takeIdle returns a lab that no test has, and that the named test did not have before, or nil.
func takeIdle(test string) *testLab {
	idle.Lock()
	defer idle.Unlock()
	i := slices.IndexFunc(idle.labs, func(l *testLab) bool { return !l.had[test] })
	if i < 0 {
		return nil
	}
	l := idle.labs[i]
	idle.labs = slices.Delete(idle.labs, i, i+1)
	return l
}

// endIdle takes the borrowed labs down. It runs after all tests.
func endIdle() error {
	errs := make([]error, len(idle.labs))
	var all sync.WaitGroup
	for i, l := range idle.labs {
		all.Go(func() {
			if out, err := l.command("down").CombinedOutput(); err != nil {
				errs[i] = fmt.Errorf("taking a lab down: %w\n%s", err, out)
			}
			l.release()
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
