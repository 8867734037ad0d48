package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/local"
)

// modulePath is how the checkout's go.mod begins.
const modulePath = "module github.com/lgtm-lab/lgtm-lab"

// env is what every command works with.
type env struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	dir            string
	chosen targetFlags

	mu sync.Mutex
}

// say prints a line of progress. It goes to standard error, so that standard
// output is the result alone.
func (e *env) say(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Fprintln(e.stderr, line)
}

// root finds the checkout: the working directory, or the nearest above it that
// is the module's root.
func (e *env) root() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if isCheckout(dir) {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("%s is not in a checkout of the lab; change to one and call again", wd)
		}
	}
}

func isCheckout(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	defer f.Close()
	first, _ := bufio.NewReader(f).ReadString('\n')
	return strings.TrimSpace(first) == modulePath
}

// labDir is the lab's folder.
func (e *env) labDir() (string, error) {
	if e.dir != "" {
		return filepath.Abs(e.dir)
	}
	if dir := e.getenv("LAB_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	root, err := e.root()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, ".lab"), nil
}

// programs is how a lab gets the programs of its stack.
func (e *env) programs(s *stack.Stack) func(context.Context) (map[string]local.Program, error) {
	return func(ctx context.Context) (map[string]local.Program, error) {
		set, err := s.Resolve(ctx)
		if err != nil {
			return nil, err
		}
		e.say(set.Reason)
		if set.Hint != "" {
			e.say(set.Hint)
		}
		programs := map[string]local.Program{}
		for _, name := range []string{target.Loki, target.Tempo, target.Mimir, target.Alloy, target.Grafana} {
			p, ok := set.Program(name)
			if !ok {
				continue
			}
			path, args := p.Command()
			programs[name] = local.Program{Path: path, Args: args, Home: p.Home}
		}
		return programs, nil
	}
}

// stack is the stack of the checkout in cfg.Root, with the images of the lock in a
// file, or of the checkout's own lock if that is "".
func (e *env) stack(cfg stack.Config, lock string) (*stack.Stack, error) {
	var err error
	if cfg.Images, err = e.imageLock(lock); err != nil {
		return nil, err
	}
	cfg.Progress = stack.Render(e.stderr, isTerminal(e.stderr))
	return stack.New(cfg)
}

// isTerminal tells whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// noArgs refuses arguments as a wrong command line.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, but got %q", cmd.CommandPath(), args)}
	}
	return nil
}

// oneOf checks the value of a flag.
func oneOf(flag, value string, valid ...string) error {
	if slices.Contains(valid, value) {
		return nil
	}
	return usageError{fmt.Errorf("--%s %q: want %s", flag, value, strings.Join(valid, ", "))}
}
