package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
)

// env holds the things that every command works with: the environment, where it prints to,
// and the flags that choose the lab.
type env struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	dir            string
	target         targetFlags

	once    sync.Once
	printer *progress.Printer // see progress
}

// progress returns the printer that shows how far a command is. It writes to standard error,
// so that only the result is on standard output.
func (e *env) progress() *progress.Printer {
	e.once.Do(func() { e.printer = progress.To(e.stderr) })
	return e.printer
}

// say prints a line of progress.
func (e *env) say(line string) { e.progress().Say(line) }

// step prints a line of progress with a mark in front.
func (e *env) step(line string) { e.say("· " + line) }

// line shows a line at the bottom of a terminal and replaces the line before; "" removes
// it. Without a terminal on standard error it does nothing.
func (e *env) line(text string) { e.progress().Status(text) }

// transfer shows how far a download is.
func (e *env) transfer(name string) func(done, total int64) {
	return func(done, total int64) {
		text := fmt.Sprintf("· %s: %s of %s MB", name, megabytes(done), megabytes(total))
		if done < total {
			e.progress().Update(name, text)
			return
		}
		e.say(text)
	}
}

// registerDir adds the flag of the lab's folder.
func (e *env) registerDir(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.dir, "dir", "", "the lab's folder: data, logs, list of processes (default $LAB_DIR, or .lab in the checkout)")
}

// labDir returns the path of the lab's folder.
func (e *env) labDir() (string, error) {
	if dir := cmp.Or(e.dir, e.getenv("LAB_DIR")); dir != "" {
		return filepath.Abs(dir)
	}
	root, err := checkout.Root()
	return filepath.Join(root, ".lab"), err
}

// labPath returns a path in the lab's folder, and makes that folder. It refuses a folder
// that is not the lab's.
func (e *env) labPath(elem ...string) (string, error) {
	dir, err := e.labDir()
	if err != nil {
		return "", err
	}
	folder, err := labdir.Claim(dir)
	return filepath.Join(append([]string{folder.Path}, elem...)...), err
}

// imageLock loads an image lock from a file, or from the checkout if that is "".
func (e *env) imageLock(file string) (images.Lock, error) {
	if file == "" {
		root, err := checkout.Root()
		if err != nil {
			return images.Lock{}, err
		}
		file = filepath.Join(root, "config", "images.json")
	}
	return images.Load(file)
}

// stack returns the stack of the checkout, with the images of the lock in a file, or of
// the checkout's own lock if that file is "".
func (e *env) stack(mode stack.Mode, cache, lock string) (*stack.Stack, error) {
	root, err := checkout.Root()
	if err != nil {
		return nil, err
	}
	pinned, err := e.imageLock(lock)
	if err != nil {
		return nil, err
	}
	return stack.New(stack.Config{
		Root: root, Cache: cache, Mode: mode, Images: pinned, Progress: stack.Render(e.progress()),
	})
}

// oneOf checks the value of a flag.
func oneOf(flag, value string, valid ...string) error {
	if slices.Contains(valid, value) {
		return nil
	}
	return usageError{fmt.Errorf("--%s %q: want %s", flag, value, strings.Join(valid, ", "))}
}
