package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/backupfile"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func backupCommand(e *env) *cobra.Command {
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a backup of the users to a file, while the lab serves",
		Long: `backup writes a copy of the backend's database to FILE: every user who was created
before it began, and none who was deleted before. The lab goes on meanwhile; on this
machine it may also be down. FILE is there only when the backup is whole: the backend
has checked the database, and lab the file's checksum.

FILE is an SQLite database that any SQLite opens. It holds personal data, and keeps that
of users who are deleted later: delete backups when you delete what they are kept for.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			database, err := e.database(cmd)
			if err != nil {
				return err
			}
			return e.backup(cmd.Context(), database, args[0], overwrite)
		},
	}
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace FILE if it is an earlier backup")
	e.registerTarget(cmd)
	return cmd
}

func restoreCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Replace the users by those of a backup, while the lab serves",
		Long: `restore replaces the backend's database by the one in FILE, which lab backup has
written. It refuses a file that is damaged, that is no backup, or that a newer version of
the lab has written, and changes nothing then. A backup with an older schema is brought up
to date. The backend exchanges the databases by itself, and answers no request meanwhile,
some milliseconds; on this machine the lab may also be down.

The replaced database stays beside the new one: restore says where. Users who were deleted
since the backup are back: restore says how many.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			database, err := e.database(cmd)
			if err != nil {
				return err
			}
			return e.restore(cmd.Context(), database, args[0])
		},
	}
	e.registerTarget(cmd)
	return cmd
}

// oneFile returns a usage error unless there is one argument.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%s takes the name of one file, but got %q", cmd.CommandPath(), args)}
	}
	return nil
}

// database returns the target that the command line chooses, if it has a database.
func (e *env) database(cmd *cobra.Command) (target.Database, error) {
	t, err := e.lab()
	if err != nil {
		return nil, err
	}
	database, ok := t.(target.Database)
	if !ok {
		return nil, fmt.Errorf("%s: %w", cmd.Name(), target.ErrNotHere)
	}
	return database, nil
}

func (e *env) backup(ctx context.Context, database target.Database, name string, overwrite bool) error {
	begin := time.Now()
	show := e.transfer("backup")
	info, err := backupfile.Write(name, overwrite, func(w io.Writer) error {
		return database.Backup(ctx, &backupfile.Meter{W: w, Show: show})
	})
	if err != nil {
		return err
	}
	file, err := os.Stat(name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s: %d users, schema %s, %s MB in %.1f s. Restore it with `%s restore %s`.\n",
		name, info.Users, info.Schema, megabytes(file.Size()), time.Since(begin).Seconds(), command.Name(), name)
	return err
}

func (e *env) restore(ctx context.Context, database target.Database, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	begin := time.Now()
	done, err := database.Restore(ctx, file)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = fmt.Fprintf(e.stdout, "%s\nrestored in %.1f s\n", done, time.Since(begin).Seconds())
	return err
}
