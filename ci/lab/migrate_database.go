package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func migrateDatabaseCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate-database",
		Short: "Copy the users from the SQLite file into a PostgreSQL database",
		Long: `migrate-database copies the users from the SQLite file in the lab's folder into the
PostgreSQL database that $LAB_DATABASE_URL names, such as
postgres://user:password@host:5432/users. The lab must be down, and the database empty.
The users keep their ids. Each is read back and compared before the copy counts: the
database has all users afterwards, or none. The file stays as it is.

Bring the lab up with $LAB_DATABASE_URL then, and the backend keeps the users there.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if e.getenv("LAB_DATABASE_URL") == "" {
				return usageError{fmt.Errorf("%s: LAB_DATABASE_URL must name the PostgreSQL database to copy to", cmd.CommandPath())}
			}
			database, err := e.database(cmd)
			if err != nil {
				return err
			}
			done, err := database.MigrateDatabase(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(e.stdout, done)
			return err
		},
	}
	e.registerTarget(cmd)
	return cmd
}
