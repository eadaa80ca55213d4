namespace Dori.Pictures.Sources;

/// <summary>Pictures that are files in a folder.</summary>
/// <param name="folder">That names are relative to.</param>
internal sealed class FileSource(string folder, IReadOnlyList<SourcePicture> pictures, IReadOnlyList<string> notes, PictureReading reading)
    : PictureSource(folder, pictures, notes, reading)
{
    public override byte[] Read(int index) => InputFile.ReadBytes(PlaceOf(index), InputKind.Picture);

    public override string PlaceOf(int index) => System.IO.Path.Combine(Path, Pictures[index].Name);

    public override string Sha256Of(int index) => Pictures[index].Sha256 ?? InputFile.Sha256(PlaceOf(index), InputKind.Picture);
}
