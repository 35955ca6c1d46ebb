package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var ownMigrations embed.FS

// Migrating is what opening a database does about migrations that it lacks.
type Migrating string

// MigrateApply applies them; MigrateCheck refuses to open.
const (
	MigrateApply Migrating = "apply"
	MigrateCheck Migrating = "check"
)

// Migration is one step of a database's tables.
type Migration struct {
	Service string    `json:"service"`
	Tables  string    `json:"tables"` // store or service
	Name    string    `json:"name"`
	Applied time.Time `json:"applied,omitzero"` // zero: pending
}

// Plan lists the migrations of a service's database without changing it; a database that does not exist yet lacks them all.
func Plan(ctx context.Context, o Options) (_ []Migration, err error) {
	if o.Postgres.URL == "" && !hasFile(o.Dir, o.Service) { // opening would make it
		if o.Dir, err = os.MkdirTemp("", "viscount-plan-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	return withMigrations(ctx, o, planned)
}

// Migrate applies what is missing, under a lock, and lists what it applied.
func Migrate(ctx context.Context, o Options) ([]Migration, error) {
	return withMigrations(ctx, o, func(ctx context.Context, d dialect, db *sql.DB, o Options) ([]Migration, error) {
		before, err := planned(ctx, d, db, o)
		if err != nil {
			return nil, err
		}
		o.Migrate = MigrateApply
		return slices.DeleteFunc(before, func(m Migration) bool { return !m.Applied.IsZero() }), migrate(ctx, d, db, o)
	})
}

func withMigrations(ctx context.Context, o Options, do func(context.Context, dialect, *sql.DB, Options) ([]Migration, error)) ([]Migration, error) {
	d, db, err := openDatabase(ctx, o)
	if err != nil {
		return nil, &Failure{Operation: "open", Err: err}
	}
	migrations, err := do(ctx, d, db.write, o)
	if err != nil {
		err = &Failure{Operation: "migrate", Err: fmt.Errorf("%s: %w", o.Service, err)}
	}
	return migrations, errors.Join(err, db.close())
}

// migrate brings the store's own tables and the service's to the newest version, or refuses if that is not its business.
// Each has its own version table, so that either can grow without the other.
func migrate(ctx context.Context, d dialect, db *sql.DB, o Options) error {
	pending, err := planned(ctx, d, db, o)
	pending = slices.DeleteFunc(pending, func(m Migration) bool { return !m.Applied.IsZero() })
	if err != nil || len(pending) == 0 {
		return err
	}
	if o.Migrate == MigrateCheck {
		return fmt.Errorf("the database lacks %d migrations (first: %s); run `viscount migrate apply`, or set store.postgres.migrate: apply", len(pending), pending[0].Name)
	}
	if d.sole {
		return applyAll(ctx, d, db, o)
	}
	return withLock(ctx, db, lockNumber(o.Service, "migrate"), func(ctx context.Context, conn *sql.Conn) error {
		if _, err := conn.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{o.Service}.Sanitize()); err != nil {
			return err
		}
		return applyAll(ctx, d, db, o)
	})
}

func applyAll(ctx context.Context, d dialect, db *sql.DB, o Options) error {
	return eachTables(d, db, o.Migrations, func(tables string, provider *goose.Provider) error {
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("migrating the %s's tables: %w", tables, err)
		}
		return nil
	})
}

func planned(ctx context.Context, d dialect, db *sql.DB, o Options) (all []Migration, err error) {
	err = eachTables(d, db, o.Migrations, func(tables string, provider *goose.Provider) error {
		applied, err := appliedAt(ctx, d, db, tables+"_version")
		sources := provider.ListSources()
		slices.SortFunc(sources, func(a, b *goose.Source) int { return cmp.Compare(a.Version, b.Version) }) // those of one database's folder come last
		for _, source := range sources {
			all = append(all, Migration{Service: o.Service, Tables: tables, Name: path.Base(source.Path), Applied: applied[source.Version]})
		}
		return err
	})
	return all, err
}

// appliedAt reads a version table, which may not be there yet.
func appliedAt(ctx context.Context, d dialect, db *sql.DB, table string) (map[int64]time.Time, error) {
	var there bool
	if err := db.QueryRowContext(ctx, d.hasTable, table).Scan(&there); err != nil || !there {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT version_id, tstamp FROM "+table+" WHERE is_applied")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	applied := map[int64]time.Time{}
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, err
		}
		applied[version] = at.UTC()
	}
	return applied, rows.Err()
}

// eachTables calls do for the store's own migrations, then for the service's.
func eachTables(d dialect, db *sql.DB, service fs.FS, do func(tables string, provider *goose.Provider) error) error {
	own, err := fs.Sub(ownMigrations, "migrations")
	if err != nil {
		return err
	}
	folders := []struct {
		tables string
		files  fs.FS
	}{{"store", own}, {"service", service}}
	for _, folder := range folders {
		if folder.files == nil {
			continue
		}
		if _, err := fs.Stat(folder.files, "migrations"); err == nil {
			if folder.files, err = fs.Sub(folder.files, "migrations"); err != nil {
				return err
			}
		}
		provider, err := goose.NewProvider(d.goose, db, portable{folder.files, d}, goose.WithTableName(folder.tables+"_version"), goose.WithDisableGlobalRegistry(true),
			goose.WithAllowOutofOrder(true)) // migrations of two branches land in any order, and databases stand between them
		if err != nil {
			return err
		}
		if err := do(folder.tables, provider); err != nil {
			return err
		}
	}
	return nil
}

// portable is a folder of migrations with the tokens of the dialect filled in: {{serial}} is a key that counts by itself. What
// cannot be said to both databases (full text) stands in a folder of the database's name, sqlite or postgres.
type portable struct {
	fs.FS
	dialect dialect
}

// ReadDir implements fs.ReadDirFS: the files for both databases and those for this one.
func (p portable) ReadDir(name string) ([]fs.DirEntry, error) {
	files, err := fs.ReadDir(p.FS, name)
	own, e := fs.ReadDir(p.FS, path.Join(name, string(p.dialect.kind)))
	if e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return append(files, own...), err
}

// Open implements fs.FS.
func (p portable) Open(name string) (fs.File, error) {
	file, err := p.FS.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = p.FS.Open(path.Join(string(p.dialect.kind), name))
	}
	if err != nil || path.Ext(name) != ".sql" {
		return file, err
	}
	raw, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return &migrationFile{File: file, text: []byte(p.dialect.tokens.Replace(string(raw)))}, nil
}

// migrationFile reads a file's replaced text instead of its bytes.
type migrationFile struct {
	fs.File
	text []byte
	at   int
}

// Read implements fs.File.
func (f *migrationFile) Read(p []byte) (int, error) {
	if f.at == len(f.text) {
		return 0, io.EOF
	}
	n := copy(p, f.text[f.at:])
	f.at += n
	return n, nil
}

// Stat implements fs.File, with the size of the replaced text.
func (f *migrationFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return sizedInfo{info, int64(len(f.text))}, err
}

type sizedInfo struct {
	fs.FileInfo
	size int64
}

func (s sizedInfo) Size() int64        { return s.size }
func (s sizedInfo) ModTime() time.Time { return time.Time{} }
