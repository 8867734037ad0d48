package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Work is a piece of work on the lab's components. This program does it with their
// addresses, or a command does it inside the target.
type Work[R any] struct {
	// Args are the words of the command that does the work inside a target, without
	// --target and --output.
	Args []string
	// Asks are the components that Here sends requests to.
	Asks []string
	// Here does the work from this program.
	Here func(ctx context.Context, at Addresses) (R, error)
	// NeedsNoLab says that Here does not use the target's addresses, because the user
	// has given others. Here then gets empty addresses.
	NeedsNoLab bool
	// Remark gets the text that the command inside prints besides its result. It may
	// be nil.
	Remark func(text string)
}

// Do does the work on the target: here if this program can reach the components, else by
// a command inside the target.
func Do[R any](ctx context.Context, t Target, w Work[R]) (result R, err error) {
	switch t := t.(type) {
	case Remote:
		done, err := t.Execute(ctx, append(w.Args, "--output=json"))
		if err != nil {
			return result, err
		}
		err = decode(done, w.Args[0], w.Remark, &result)
		return result, err
	case Reachable:
		var at Addresses
		if !w.NeedsNoLab {
			if at, err = reach(ctx, t, w.Asks); err != nil {
				return result, err
			}
		}
		return w.Here(ctx, at)
	}
	return result, fmt.Errorf("%s: %w", w.Args[0], ErrNotHere)
}

// Print does work whose result is text for people, and writes the text to w. args are the
// words of the command that does the work inside a target. here does the work from this
// program, and sends requests to the components in asks.
func Print(ctx context.Context, t Target, w io.Writer, args, asks []string, here func(context.Context, io.Writer, Addresses) error) error {
	switch t := t.(type) {
	case Remote:
		done, err := t.Execute(ctx, args)
		if err != nil {
			return err
		}
		if done.ExitCode != 0 {
			return errors.New(strings.TrimPrefix(strings.TrimSpace(string(done.Output)), "lab: "))
		}
		_, err = w.Write(done.Output)
		return err
	case Reachable:
		at, err := reach(ctx, t, asks)
		if err != nil {
			return err
		}
		return here(ctx, w, at)
	}
	return fmt.Errorf("%s: %w", args[0], ErrNotHere)
}

// reach returns the target's addresses once the components accept connections from this
// program.
func reach(ctx context.Context, t Reachable, components []string) (Addresses, error) {
	at, err := t.Addresses(ctx)
	if gated, ok := t.(Gated); ok && err == nil {
		err = gated.Await(ctx, at, components)
	}
	return at, err
}

// decode reads the JSON that a command has printed. It ignores the exit code, because a
// command that reports failures exits with 1.
func decode(done Executed, command string, remark func(string), into any) error {
	doc, rest := findJSON(done.Output)
	text := strings.TrimSpace(string(rest))
	if said, ok := strings.CutPrefix(text, "lab: "); ok && doc == nil && done.ExitCode != 0 {
		return errors.New(said)
	}
	if doc == nil {
		return fmt.Errorf("%s ended in the cluster with exit code %d and printed no result:\n%s", command, done.ExitCode, text)
	}
	if text != "" && remark != nil {
		remark(text)
	}
	if err := json.Unmarshal(doc, into); err != nil {
		return fmt.Errorf("reading the output of %s: %w", command, err)
	}
	return nil
}

// findJSON finds the indented JSON object in the output of a command, in which standard
// output and standard error are mixed.
func findJSON(output []byte) (doc, rest []byte) {
	begin, end, at := -1, -1, 0
	for line := range bytes.Lines(output) {
		switch text := bytes.TrimRight(line, "\r\n"); {
		case bytes.Equal(text, []byte("{")) && begin < 0:
			begin = at
		case bytes.Equal(text, []byte("}")) && begin >= 0:
			end = at + len(text)
		}
		at += len(line)
	}
	if end < 0 {
		return nil, output
	}
	return output[begin:end], append(append([]byte{}, output[:begin]...), output[end:]...)
}
