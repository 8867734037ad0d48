package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/sqlite"
)

// takenWithin is how long a backend that serves may need to take a staged backup: it
// looks every second, and finishes the requests in flight before.
const takenWithin = 30 * time.Second

// isCommand reports whether the arguments are those of [command].
func isCommand(args []string) bool {
	switch len(args) {
	case 1:
		return args[0] == "migrate-database"
	case 2:
		return args[0] == "backup" || args[0] == "restore"
	}
	return false
}

// command runs `backend backup FILE`, `backend restore FILE` or `backend migrate-database`
// for the database that the environment names, while a backend serves from it or not. "-" as FILE stands for
// standard output or input. What was done goes to standard output, unless the backup does.
func command(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout io.Writer) error {
	cfg, err := readConfig(getenv)
	if err != nil {
		return err
	}
	switch {
	case args[0] == "migrate-database":
		return migrateDatabase(ctx, cfg, stdout)
	case cfg.databaseURL != "":
		return errors.New("the users are in PostgreSQL (DATABASE_URL): use pg_dump and pg_restore")
	case args[0] == "backup":
		return backup(ctx, cfg.databasePath, args[1], stdout)
	}
	return restore(ctx, cfg.databasePath, args[1], stdin, stdout)
}

// backup writes a new file. It writes to a temporary name first, so that a file of this
// name is a whole backup.
func backup(ctx context.Context, database, name string, stdout io.Writer) (err error) {
	if name == "-" {
		_, err := sqlite.Backup(ctx, database, stdout)
		return err
	}
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("%s exists already: give another name, or delete it", name)
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".backup-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	info, err := sqlite.Backup(ctx, database, file)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), name); err != nil { // unlike a rename, it replaces nothing
		return err
	}
	_ = os.Remove(file.Name())
	_, err = fmt.Fprintf(stdout, "%s has %d users, %d bytes, schema %s\n", name, info.Users, info.Bytes, info.Schema)
	return err
}

// restore stages the backup, and waits until the backend that serves has taken it. If no
// backend serves, it takes the backup itself.
func restore(ctx context.Context, database, name string, stdin io.Reader, stdout io.Writer) error {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		stdin = file
	}
	info, since, err := sqlite.Stage(ctx, database, stdin)
	if err != nil {
		return err
	}
	var replaced string
	if sqlite.InUse(ctx, database) {
		replaced, err = awaitTaken(ctx, database)
	} else {
		replaced, err = sqlite.TakeStaged(ctx, database)
	}
	if err != nil {
		return err
	}
	return report(stdout, info, since, replaced)
}

// awaitTaken waits until a backend has taken what is staged, and returns the file that has
// the replaced database.
func awaitTaken(ctx context.Context, database string) (replaced string, err error) {
	before, err := filepath.Glob(database + ".replaced-*Z")
	if err != nil {
		return "", err
	}
	for deadline := time.Now().Add(takenWithin); sqlite.Staged(database); {
		if time.Now().After(deadline) {
			return "", fmt.Errorf("the backup is checked, but the process that has the database open has not taken it in %v: restart the backend, which takes it when it starts", takenWithin)
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	after, err := filepath.Glob(database + ".replaced-*Z")
	if err != nil || len(after) <= len(before) {
		return "", err
	}
	return after[len(after)-1], nil // their names sort by time
}

// report says what was restored, and what that means.
func report(w io.Writer, info sqlite.BackupInfo, since sqlite.Comparison, replaced string) error {
	text := fmt.Sprintf("restored %d users as they were on %s\n", info.Users, info.CreatedAt.Format(time.RFC3339))
	if since.Back > 0 {
		text += fmt.Sprintf("users who are back, though they were deleted since the backup: %d. Delete them again\n", since.Back)
	}
	if since.Lost > 0 {
		text += fmt.Sprintf("users who are left out, for they were created since the backup: %d. The replaced database has them\n", since.Lost)
	}
	if replaced != "" {
		text += fmt.Sprintf("the replaced database is %s, with its personal data: delete it when you do not need it any more\n", replaced)
	}
	_, err := io.WriteString(w, text)
	return err
}
