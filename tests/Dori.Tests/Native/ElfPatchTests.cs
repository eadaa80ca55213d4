using Dori.Native;

namespace Dori.Tests.Native;

public class ElfPatchTests
{
    private static string? Library =>
        Directory.GetFiles(AppContext.BaseDirectory, "libLibTorchSharp.so", SearchOption.AllDirectories).FirstOrDefault();

    [Fact]
    public void Three_small_places_change_and_nothing_else()
    {
        if (Library is not { } path) return; // another system's package
        byte[] original = File.ReadAllBytes(path), patched = [.. original];
        ElfPatch.DropVersionNeed(patched, "GLIBCXX_3.4.32", "floor");
        int[] changed = [.. Enumerable.Range(0, original.Length).Where(i => original[i] != patched[i])];
        Assert.InRange(changed.Length, 3, 2 + 2 + 4); // vna_flags, the symbol's version index, its st_name
        Assert.Equal(original.Length, patched.Length);
        byte[] twice = [.. patched];
        ElfPatch.DropVersionNeed(twice, "GLIBCXX_3.4.32", "floor");
        Assert.Equal(patched, twice);
    }

    [Fact]
    public void What_is_not_there_is_said()
    {
        Assert.Throws<InvalidDataException>(() => ElfPatch.DropVersionNeed(new byte[100], "GLIBCXX_3.4.32", "floor"));
        if (Library is not { } path) return;
        Assert.Throws<InvalidDataException>(() => ElfPatch.DropVersionNeed(File.ReadAllBytes(path), "GLIBCXX_9.9.9", "floor"));
        Assert.Throws<InvalidDataException>(() => ElfPatch.DropVersionNeed(File.ReadAllBytes(path), "GLIBCXX_3.4.32", "no_such_function"));
    }
}
