"""Prediction tables as Excel workbooks: one sheet, written row by row. Needs openpyxl (`mien[xlsx]`)."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mien.errors import InputError, MissingPackageError, OutputError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 1_048_576 - 1  # of a sheet, below the heading
_SHEET = "faces"
_UNDATED = datetime(1980, 1, 1)  # the first date of an archive
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")  # XML forbids or changes them
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")  # as Excel writes them


class SheetFullError(OutputError):
    """More rows than a sheet holds."""


def check_openpyxl() -> None:
    """Raises `MissingPackageError` before the work for what would fail after it."""
    try:
        import openpyxl  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingPackageError("An .xlsx table", "openpyxl", "xlsx") from error


def check_rows(path: Path, least: int) -> None:
    """Raises `SheetFullError` before the work where the table `path` will have more rows than a sheet holds.

    `least`: so many images and frames there are about; each has a row or more.
    """
    if path.suffix.lower() == ".xlsx" and least > MOST_ROWS:
        raise SheetFullError(
            f"{path}: a sheet of Excel holds {MOST_ROWS:,} rows and there are about {least:,} images and frames; "
            "name a .parquet table, or examine fewer frames (--fps)"
        )


def write_xlsx(rows: Iterable[dict[str, Any]], columns: Sequence[str], file: IO[bytes]) -> None:
    """Rows under a bold heading that stays in view and filters. Text that begins with "=" is text, never a formula.

    Raises `SheetFullError` for more rows than a sheet holds.
    """
    check_openpyxl()
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.writer.excel import ExcelWriter

    book = Workbook(write_only=True)
    sheet = book.create_sheet(_SHEET)
    sheet.freeze_panes = "B2"
    sheet.column_dimensions["A"].width = 40

    def cell(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        made = WriteOnlyCell(sheet, _UNSAFE.sub(lambda one: f"_x{ord(one[0]):04X}_", value))
        made.data_type = "s"
        return made

    heading = [WriteOnlyCell(sheet, name) for name in columns]
    for one in heading:
        one.font = Font(bold=True)
    sheet.append(heading)
    count = 0
    try:
        for count, row in enumerate(rows, 1):
            if count > MOST_ROWS:
                raise SheetFullError(
                    f"a sheet of Excel holds {MOST_ROWS:,} rows and the table has more; use .parquet"
                )
            sheet.append([cell(row[name]) for name in columns])
    except BaseException:
        sheet.close()
        raise
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{count + 1}"
    book.properties.created = book.properties.modified = _UNDATED
    with _UndatedArchive(file, "w", zipfile.ZIP_DEFLATED) as archive:
        ExcelWriter(book, archive).write_data()


class _UndatedArchive(zipfile.ZipFile):
    """An archive whose bytes tell nothing of when it was written: of the same rows the same."""

    def writestr(
        self,
        zinfo_or_arcname: str | zipfile.ZipInfo,
        data: Any,
        compress_type: int | None = None,
        compresslevel: int | None = None,
    ) -> None:
        if isinstance(zinfo_or_arcname, str):
            zinfo_or_arcname = self._info(zinfo_or_arcname)
        super().writestr(zinfo_or_arcname, data, compress_type, compresslevel)

    def write(self, filename: Any, arcname: Any = None, *_: Any) -> None:
        with Path(filename).open("rb") as source, self.open(self._info(arcname), "w") as member:
            shutil.copyfileobj(source, member)

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, _UNDATED.timetuple()[:6])
        info.compress_type = self.compression
        return info


def read_xlsx(path: Path) -> pa.Table:
    """The first sheet as a table, typed by what its cells hold. Raises ValueError where it is no workbook."""
    check_openpyxl()
    import pyarrow as pa
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{path} is no Excel workbook ({error})") from error
    try:
        cells = book.worksheets[0].iter_rows(values_only=True)
        heading = next(cells, ())
        at = [i for i, name in enumerate(heading) if name is not None]
        short = (None,) * len(heading)  # a row ends with its last value
        full = ((*row, *short) for row in cells if any(value is not None for value in row))
        rows = [[_unescaped(row[i]) for i in at] for row in full]
    finally:
        book.close()
    values: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [()] * len(at)
    return pa.table({str(heading[i]): _column(of_name) for i, of_name in zip(at, values, strict=True)})


def _unescaped(value: Any) -> Any:
    return _ESCAPE.sub(lambda one: chr(int(one[1], 16)), value) if isinstance(value, str) else value


def _column(values: Sequence[Any]) -> pa.Array:
    """Cells of one kind as they are, of several kinds as numbers or else as text."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        return pa.array(values, pa.float64() if float in kinds else pa.int64() if kinds else pa.null())
    if len(kinds) == 1 and kinds <= {bool, str}:
        return pa.array(values)
    return pa.array([None if value is None else str(value) for value in values], pa.string())
