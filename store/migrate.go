package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var ownMigrations embed.FS

// migrate brings the store's own tables and the service's to the newest version. Each has its own version table, so that
// either can grow without the other.
func migrate(ctx context.Context, db *sql.DB, d dialect, service fs.FS) error {
	own, err := fs.Sub(ownMigrations, "migrations")
	if err != nil {
		return err
	}
	if err := apply(ctx, db, d, "store_version", own); err != nil {
		return fmt.Errorf("migrating the store's tables: %w", err)
	}
	if service == nil {
		return nil
	}
	if root, err := fs.Sub(service, "migrations"); err == nil {
		if _, err := fs.Stat(service, "migrations"); err == nil {
			service = root
		}
	}
	if err := apply(ctx, db, d, "service_version", service); err != nil {
		return fmt.Errorf("migrating the service's tables: %w", err)
	}
	return nil
}

func apply(ctx context.Context, db *sql.DB, d dialect, table string, files fs.FS) error {
	dialects := map[string]goose.Dialect{"sqlite": goose.DialectSQLite3, "postgres": goose.DialectPostgres}
	provider, err := goose.NewProvider(dialects[d.name], db, portable{files, d}, goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// portable is a folder of migrations with the tokens of the dialect filled in: {{serial}} is a key that counts by itself.
type portable struct {
	fs.FS
	dialect dialect
}

// Open implements fs.FS.
func (p portable) Open(name string) (fs.File, error) {
	file, err := p.FS.Open(name)
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
