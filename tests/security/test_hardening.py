"""The flags that the native code is built with, read in the built module itself."""

import platform
from pathlib import Path

import pytest
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from mainspring import _core

DF_BIND_NOW, DF_TEXTREL = 0x8, 0x4
DF_1_NOW = 0x1


@pytest.fixture(scope="module")
def module():
    """The extension module as an ELF file; the sanitizers' builds, which have checks of their own, are not hardened."""
    with Path(_core.__file__).open("rb") as file:
        elf = ELFFile(file)
        needed = {tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
        if any("san" in name.split(".")[0] for name in needed):
            pytest.skip("built with a sanitizer, whose own checks take the place of these")
        yield elf


def segments(module, kind):
    """The program headers of one kind."""
    return [segment for segment in module.iter_segments() if segment["p_type"] == kind]


def symbols(module):
    """The names that the module takes from libraries, without versions."""
    return {
        each.name for each in module.get_section_by_name(".dynsym").iter_symbols() if each["st_shndx"] == "SHN_UNDEF"
    }


def dynamic(module, tag):
    """The values of one tag of the dynamic section, put together."""
    value = 0
    for each in module.get_section_by_name(".dynamic").iter_tags(tag):
        value |= each["d_val"]
    return value


def test_everything_is_bound_at_the_start_and_read_only_afterwards(module):
    relro = segments(module, "PT_GNU_RELRO")
    assert len(relro) == 1
    assert dynamic(module, "DT_FLAGS") & DF_BIND_NOW or dynamic(module, "DT_FLAGS_1") & DF_1_NOW
    # Full RELRO: the table of the functions' addresses is inside.
    got = module.get_section_by_name(".got")
    begin = relro[0]["p_vaddr"]
    assert begin <= got["sh_addr"]
    assert got["sh_addr"] + got["sh_size"] <= begin + relro[0]["p_memsz"]
    assert module.get_section_by_name(".got.plt") is None


def test_no_memory_is_writable_and_executable(module):
    (stack,) = segments(module, "PT_GNU_STACK")
    assert not stack["p_flags"] & P_FLAGS.PF_X
    for segment in segments(module, "PT_LOAD"):
        assert not (segment["p_flags"] & P_FLAGS.PF_X and segment["p_flags"] & P_FLAGS.PF_W)


def test_the_code_is_independent_of_its_position(module):
    assert module["e_type"] == "ET_DYN"
    assert not dynamic(module, "DT_FLAGS") & DF_TEXTREL
    assert not list(module.get_section_by_name(".dynamic").iter_tags("DT_TEXTREL"))


def test_stacks_are_protected(module):
    assert symbols(module) & {"__stack_chk_fail", "__stack_chk_fail_local"}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has fortified functions")
def test_functions_are_fortified(module):
    fortified = {name for name in symbols(module) if name.endswith("_chk") and name.startswith("__")}
    assert fortified, "not one call of a fortified function"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instruction is x86's")
def test_what_is_called_indirectly_begins_with_endbr64(module):
    (start,) = module.get_section_by_name(".dynsym").get_symbol_by_name("PyInit__core")
    text = module.get_section_by_name(".text")
    offset = start["st_value"] - text["sh_addr"]
    assert text.data()[offset : offset + 4] == b"\xf3\x0f\x1e\xfa"


def test_nothing_but_the_modules_start_is_exported(module):
    exported = [
        each.name
        for each in module.get_section_by_name(".dynsym").iter_symbols()
        if each["st_shndx"] != "SHN_UNDEF" and each["st_info"]["bind"] in ("STB_GLOBAL", "STB_WEAK")
    ]
    assert exported == ["PyInit__core"]
