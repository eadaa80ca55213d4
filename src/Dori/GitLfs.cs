namespace Dori;

/// <summary>
/// Git Large File Storage: a repository that is cloned without it holds pointers, texts of three lines, in place of its large files.
/// </summary>
internal static class GitLfs
{
    /// <summary>Bytes that a pointer is told by.</summary>
    public const int Length = 48;

    /// <param name="start">The file's first bytes, <see cref="Length"/> of them or more.</param>
    public static bool IsPointer(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("\uFEFF"u8)) start = start[3..]; // where an editor has saved it
        return start.StartsWith("version https://git-lfs.github.com/spec/"u8)
            || start.StartsWith("version https://hawser.github.com/spec/"u8);
    }

    /// <exception cref="DoriException">The file is a pointer.</exception>
    public static void RefusePointer(string path, ReadOnlySpan<byte> start)
    {
        if (IsPointer(start))
            throw new DoriException($"{path}: is a Git LFS pointer, not the file itself: run `git lfs pull` in its repository, or "
                + "download the file");
    }
}
