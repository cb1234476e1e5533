"""The XML of a simulated L2A product, with the elements of the real format that readers look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lulc_kit import sentinel2
from lulc_kit.simulated.phenology import BANDS
from lulc_kit.simulated.sensor import QUANTIFICATION, RESOLUTION

SCL_NAMES = (
    "NODATA", "SATURATED_DEFECTIVE", "DARK_FEATURE_SHADOW", "CLOUD_SHADOW", "VEGETATION", "NOT_VEGETATED",
    "WATER", "UNCLASSIFIED", "CLOUD_MEDIUM_PROBA", "CLOUD_HIGH_PROBA", "THIN_CIRRUS", "SNOW_ICE",
)  # fmt: skip
_SHARES = (
    "NODATA_PIXEL", "SATURATED_DEFECTIVE_PIXEL", "DARK_FEATURES", "CLOUD_SHADOW", "VEGETATION",
    "NOT_VEGETATED", "WATER", "UNCLASSIFIED", "MEDIUM_PROBA_CLOUDS", "HIGH_PROBA_CLOUDS", "THIN_CIRRUS",
    "SNOW_ICE",
)  # fmt: skip
_PSD = "https://psd-14.sentinel2.eo.esa.int/PSD"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!-- SIMULATED: no satellite saw this. -->\n'


@dataclass(frozen=True)
class Identity:
    """Which product this is, and the names that follow from it."""

    tile: str  # such as 33UVU
    sensing: datetime
    satellite: str  # S2A or S2B
    baseline: str  # such as 04.00
    generated: datetime
    relative_orbit: int = 22

    @property
    def offset(self) -> int:
        """BOA_ADD_OFFSET of all bands: declared since baseline 04.00."""
        return -1000 if self.baseline >= "04.00" else 0

    @property
    def name(self) -> str:
        """Folder name in the compact format."""
        return (
            f"{self.satellite}_MSIL2A_{self.sensing:%Y%m%dT%H%M%S}_N{self.baseline.replace('.', '')}"
            f"_R{self.relative_orbit:03d}_T{self.tile}_{self.generated:%Y%m%dT%H%M%S}.SAFE"
        )

    @property
    def absolute_orbit(self) -> int:
        """A number that agrees with the relative orbit (143 orbits in ten days)."""
        first = {"S2A": 139, "S2B": 25}[self.satellite] + self.relative_orbit
        return first + 143 * ((self.sensing - datetime(2015, 6, 23, tzinfo=self.sensing.tzinfo)).days // 10)

    @property
    def granule(self) -> str:
        """Folder of the one granule, below the product."""
        start = self.sensing + timedelta(seconds=2)
        return f"GRANULE/L2A_T{self.tile}_A{self.absolute_orbit:06d}_{start:%Y%m%dT%H%M%S}"

    @property
    def datastrip(self) -> str:
        """Folder of the data strip, below the product."""
        start = self.sensing + timedelta(seconds=2)
        return f"DATASTRIP/DS_SIMU_{self.generated:%Y%m%dT%H%M%S}_S{start:%Y%m%dT%H%M%S}"

    def image(self, kind: str, resolution: int) -> str:
        """Path without ending of an image, below the product; `kind` is a band or SCL."""
        kind = sentinel2.BANDS[kind].file_name if kind in RESOLUTION else kind
        stem = f"T{self.tile}_{self.sensing:%Y%m%dT%H%M%S}_{kind}_{resolution}m"
        return f"{self.granule}/IMG_DATA/R{resolution}m/{stem}"

    @property
    def images(self) -> dict[str, str]:
        """Image path without ending of each band at its native resolution, and of SCL."""
        native = {band: self.image(band, RESOLUTION[band]) for band in BANDS}
        return native | {"SCL": self.image("SCL", 20)}

    def identifier(self, what: str) -> str:
        """Long identifier of the granule (TL) or the data strip (DS)."""
        stamp = f"SIMU_{self.generated:%Y%m%dT%H%M%S}"
        middle = {
            "TL": f"A{self.absolute_orbit:06d}_T{self.tile}",
            "DS": f"S{self.sensing + timedelta(seconds=2):%Y%m%dT%H%M%S}",
        }[what]
        return f"{self.satellite}_OPER_MSI_L2A_{what}_{stamp}_{middle}_N{self.baseline}"


@dataclass(frozen=True)
class Scene:
    """What the metadata say about the content of a product."""

    size: int  # edge in 10 m pixels
    left: int  # UTM easting and northing of the upper-left corner, metres
    top: int
    epsg: int
    zenith: float  # of the sun, degrees
    azimuth: float
    footprint: Sequence[tuple[float, float]]  # latitude, longitude; closed
    classes: Mapping[int, float] = field(default_factory=dict)  # percentage of each SCL value

    @property
    def cloud(self) -> float:
        """Percentage of imaged pixels under cloud or cirrus."""
        seen = 100 - self.classes.get(0, 0.0)
        return 100 * sum(self.classes.get(k, 0.0) for k in (8, 9, 10)) / seen if seen else 0.0


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.024Z"


def _content(scene: Scene) -> str:
    shares = "".join(
        f"<{name}_PERCENTAGE>{scene.classes.get(value, 0.0):.6f}</{name}_PERCENTAGE>\n"
        for value, name in enumerate(_SHARES)
    )
    return f"<Image_Content_QI>\n<CLOUDY_PIXEL_PERCENTAGE>{scene.cloud:.6f}</CLOUDY_PIXEL_PERCENTAGE>\n" + (
        f"<DEGRADED_MSI_DATA_PERCENTAGE>0</DEGRADED_MSI_DATA_PERCENTAGE>\n{shares}</Image_Content_QI>\n"
    )


def _offsets(offset: int) -> str:
    if not offset:
        return ""
    rows = "\n".join(f'<BOA_ADD_OFFSET band_id="{k}">{offset}</BOA_ADD_OFFSET>' for k in range(len(sentinel2.BANDS)))
    return f"<BOA_ADD_OFFSET_VALUES_LIST>\n{rows}\n</BOA_ADD_OFFSET_VALUES_LIST>\n"


def _spectral() -> str:
    rows = []
    for number, (name, band) in enumerate(sentinel2.BANDS.items()):
        low, high = band.response
        flanks = min(5, (high - low) // 4)  # a trapezium in place of the measured response
        values = " ".join(
            f"{min(1, (k + 1) / flanks, (high - low - k + 1) / flanks):.3g}" for k in range(high - low + 1)
        )
        rows.append(
            f'<Spectral_Information bandId="{number}" physicalBand="{name}">\n'
            f"<RESOLUTION>{band.resolution}</RESOLUTION>\n<Wavelength>\n"
            f'<MIN unit="nm">{low}</MIN>\n<MAX unit="nm">{high}</MAX>\n<CENTRAL '
            f'unit="nm">{1000 * band.wavelength:.1f}</CENTRAL>\n</Wavelength>\n<Spectral_Response>\n<STEP '
            f'unit="nm">1</STEP>\n<VALUES>{values}</VALUES>\n'
            "</Spectral_Response>\n</Spectral_Information>"
        )
    return "<Spectral_Information_List>\n" + "\n".join(rows) + "\n</Spectral_Information_List>\n"


def product_xml(product: Identity, scene: Scene) -> str:
    """Text of MTD_MSIL2A.xml."""
    files = "\n".join(f"<IMAGE_FILE>{path}</IMAGE_FILE>" for path in product.images.values())
    special = "".join(
        f"<Special_Values>\n<SPECIAL_VALUE_TEXT>{name}</SPECIAL_VALUE_TEXT>\n"
        f"<SPECIAL_VALUE_INDEX>{value}</SPECIAL_VALUE_INDEX>\n</Special_Values>\n"
        for name, value in (("NODATA", 0), ("SATURATED", 65535))
    )
    legend = "\n".join(
        f"<Scene_Classification_ID>\n<SCENE_CLASSIFICATION_TEXT>SC_{name}</SCENE_CLASSIFICATION_TEXT>\n"
        f"<SCENE_CLASSIFICATION_INDEX>{value}</SCENE_CLASSIFICATION_INDEX>\n</Scene_Classification_ID>"
        for value, name in enumerate(SCL_NAMES)
    )
    positions = " ".join(f"{latitude:.9f} {longitude:.9f}" for latitude, longitude in scene.footprint)
    checks = "\n".join(
        f'<quality_check checkType="{check}">PASSED</quality_check>'
        for check in ("FORMAT_CORRECTNESS", "GENERAL_QUALITY", "GEOMETRIC_QUALITY", "L2A_QUALITY",
                      "RADIOMETRIC_QUALITY", "SENSOR_QUALITY")
    )  # fmt: skip
    start = f"{product.sensing:%Y%m%dT%H%M%S}"
    datatake = f"G{product.satellite}_{start}_{product.absolute_orbit:06d}_N{product.baseline}"
    return f"""{_HEAD}<n1:Level-2A_User_Product xmlns:n1="{_PSD}/User_Product_Level-2A.xsd">
<n1:General_Info>
<Product_Info>
<PRODUCT_START_TIME>{_stamp(product.sensing)}</PRODUCT_START_TIME>
<PRODUCT_STOP_TIME>{_stamp(product.sensing)}</PRODUCT_STOP_TIME>
<PRODUCT_URI>{product.name}</PRODUCT_URI>
<PROCESSING_LEVEL>Level-2A</PROCESSING_LEVEL>
<PRODUCT_TYPE>S2MSI2A</PRODUCT_TYPE>
<PROCESSING_BASELINE>{product.baseline}</PROCESSING_BASELINE>
<PRODUCT_DOI>SIMULATED</PRODUCT_DOI>
<GENERATION_TIME>{product.generated:%Y-%m-%dT%H:%M:%S}.000000Z</GENERATION_TIME>
<PREVIEW_IMAGE_URL>Not applicable</PREVIEW_IMAGE_URL>
<PREVIEW_GEO_INFO>Not applicable</PREVIEW_GEO_INFO>
<Datatake datatakeIdentifier="{datatake}">
<SPACECRAFT_NAME>Sentinel-{product.satellite[1:]}</SPACECRAFT_NAME>
<DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
<DATATAKE_SENSING_START>{_stamp(product.sensing)}</DATATAKE_SENSING_START>
<SENSING_ORBIT_NUMBER>{product.relative_orbit}</SENSING_ORBIT_NUMBER>
<SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
</Datatake>
<Query_Options completeSingleTile="true">
<PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT>
</Query_Options>
<Product_Organisation>
<Granule_List>
<Granule datastripIdentifier="{product.identifier("DS")}" granuleIdentifier="{product.identifier("TL")}" \
imageFormat="JPEG2000">
{files}
</Granule>
</Granule_List>
</Product_Organisation>
</Product_Info>
<Product_Image_Characteristics>
{special}<Image_Display_Order>
<RED_CHANNEL>3</RED_CHANNEL>
<GREEN_CHANNEL>2</GREEN_CHANNEL>
<BLUE_CHANNEL>1</BLUE_CHANNEL>
</Image_Display_Order>
<QUANTIFICATION_VALUES_LIST>
<BOA_QUANTIFICATION_VALUE unit="none">{QUANTIFICATION}</BOA_QUANTIFICATION_VALUE>
<AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>
<WVP_QUANTIFICATION_VALUE unit="cm">1000.0</WVP_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST>
{_offsets(product.offset)}{_spectral()}<REFERENCE_BAND>3</REFERENCE_BAND>
<Scene_Classification_List>
{legend}
</Scene_Classification_List>
</Product_Image_Characteristics>
</n1:General_Info>
<n1:Geometric_Info>
<Product_Footprint>
<Product_Footprint>
<Global_Footprint>
<EXT_POS_LIST>{positions}</EXT_POS_LIST>
</Global_Footprint>
</Product_Footprint>
<RASTER_CS_TYPE>POINT</RASTER_CS_TYPE>
<PIXEL_ORIGIN>1</PIXEL_ORIGIN>
</Product_Footprint>
<Coordinate_Reference_System>
<GEO_TABLES version="1">EPSG</GEO_TABLES>
<HORIZONTAL_CS_TYPE>GEOGRAPHIC</HORIZONTAL_CS_TYPE>
</Coordinate_Reference_System>
</n1:Geometric_Info>
<n1:Quality_Indicators_Info>
<Cloud_Coverage_Assessment>{scene.cloud:.6f}</Cloud_Coverage_Assessment>
<Technical_Quality_Assessment>
<DEGRADED_ANC_DATA_PERCENTAGE>0.0</DEGRADED_ANC_DATA_PERCENTAGE>
<DEGRADED_MSI_DATA_PERCENTAGE>0</DEGRADED_MSI_DATA_PERCENTAGE>
</Technical_Quality_Assessment>
<Quality_Control_Checks>
<Quality_Inspections>
{checks}
</Quality_Inspections>
<Failed_Inspections/>
</Quality_Control_Checks>
{_content(scene)}</n1:Quality_Indicators_Info>
</n1:Level-2A_User_Product>
"""


def _angle_grid(name: str, value: float) -> str:
    row = f"<VALUES>{' '.join([f'{value:.4f}'] * 23)}</VALUES>"
    rows = "\n".join([row] * 23)
    return (
        f'<{name}>\n<COL_STEP unit="m">5000</COL_STEP>\n<ROW_STEP unit="m">5000</ROW_STEP>\n'
        f"<Values_List>\n{rows}\n</Values_List>\n</{name}>\n"
    )


def granule_xml(product: Identity, scene: Scene, masks: Sequence[tuple[str, str]]) -> str:
    """Text of MTD_TL.xml; `masks` are pairs of mask type and file path below the product."""
    hemisphere, zone = ("N" if scene.epsg < 32700 else "S"), scene.epsg % 100
    sizes = "".join(
        f'<Size resolution="{step}">\n<NROWS>{scene.size * 10 // step}</NROWS>\n'
        f"<NCOLS>{scene.size * 10 // step}</NCOLS>\n</Size>\n"
        for step in (10, 20, 60)
    )
    positions = "".join(
        f'<Geoposition resolution="{step}">\n<ULX>{scene.left}</ULX>\n<ULY>{scene.top}</ULY>\n'
        f"<XDIM>{step}</XDIM>\n<YDIM>-{step}</YDIM>\n</Geoposition>\n"
        for step in (10, 20, 60)
    )
    views = "".join(
        f'<Mean_Viewing_Incidence_Angle bandId="{number}">\n<ZENITH_ANGLE '
        f'unit="deg">{3.0 + 0.03 * number:.4f}</ZENITH_ANGLE>\n<AZIMUTH_ANGLE '
        f'unit="deg">{104.0 + 0.5 * number:.4f}</AZIMUTH_ANGLE>\n'
        "</Mean_Viewing_Incidence_Angle>\n"
        for number in range(len(sentinel2.BANDS))
    )
    listed = "\n".join(f'<MASK_FILENAME type="{kind}">{path}</MASK_FILENAME>' for kind, path in masks)
    return f"""{_HEAD}<n1:Level-2A_Tile_ID xmlns:n1="{_PSD}/S2_PDI_Level-2A_Tile_Metadata.xsd">
<n1:General_Info>
<TILE_ID metadataLevel="Brief">{product.identifier("TL")}</TILE_ID>
<DATASTRIP_ID metadataLevel="Standard">{product.identifier("DS")}</DATASTRIP_ID>
<DOWNLINK_PRIORITY metadataLevel="Standard">NOMINAL</DOWNLINK_PRIORITY>
<SENSING_TIME metadataLevel="Standard">{_stamp(product.sensing)}</SENSING_TIME>
<Archiving_Info metadataLevel="Expertise">
<ARCHIVING_CENTRE>SIMULATED</ARCHIVING_CENTRE>
<ARCHIVING_TIME>{_stamp(product.generated)}</ARCHIVING_TIME>
</Archiving_Info>
</n1:General_Info>
<n1:Geometric_Info>
<Tile_Geocoding metadataLevel="Brief">
<HORIZONTAL_CS_NAME>WGS84 / UTM zone {zone}{hemisphere}</HORIZONTAL_CS_NAME>
<HORIZONTAL_CS_CODE>EPSG:{scene.epsg}</HORIZONTAL_CS_CODE>
{sizes}{positions}</Tile_Geocoding>
<Tile_Angles metadataLevel="Standard">
<Sun_Angles_Grid>
{_angle_grid("Zenith", scene.zenith)}{_angle_grid("Azimuth", scene.azimuth)}</Sun_Angles_Grid>
<Mean_Sun_Angle>
<ZENITH_ANGLE unit="deg">{scene.zenith:.10f}</ZENITH_ANGLE>
<AZIMUTH_ANGLE unit="deg">{scene.azimuth:.10f}</AZIMUTH_ANGLE>
</Mean_Sun_Angle>
<Mean_Viewing_Incidence_Angle_List>
{views}</Mean_Viewing_Incidence_Angle_List>
</Tile_Angles>
</n1:Geometric_Info>
<n1:Quality_Indicators_Info metadataLevel="Standard">
{_content(scene)}<Pixel_Level_QI geometry="FULL_RESOLUTION">
{listed}
</Pixel_Level_QI>
</n1:Quality_Indicators_Info>
</n1:Level-2A_Tile_ID>
"""


def manifest_xml(product: Identity, files: Sequence[tuple[str, int, str]]) -> str:
    """Text of manifest.safe; `files` are path below the product, size in bytes and MD5."""
    units = "\n".join(f'<dataObjectPointer dataObjectID="D{number}"/>' for number in range(len(files)))
    objects = "\n".join(
        f'<dataObject ID="D{number}">\n<byteStream mimeType="{_mime(path)}" size="{size}">\n'
        f'<fileLocation href="./{path}" locatorType="URL"/>\n'
        f'<checksum checksumName="MD5">{digest}</checksum>\n</byteStream>\n</dataObject>'
        for number, (path, size, digest) in enumerate(files)
    )
    return f"""{_HEAD}<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" \
xmlns:safe="http://www.esa.int/safe/sentinel/1.1" \
version="esa/safe/sentinel/1.1/sentinel-2/msi/archive_l2a_user_product">
<informationPackageMap>
<xfdu:contentUnit textInfo="SIMULATED SENTINEL-2 MSI Level-2A User Product" unitType="Product_Level-2A">
{units}
</xfdu:contentUnit>
</informationPackageMap>
<metadataSection>
<metadataObject ID="acquisitionPeriod" category="DMD" classification="DESCRIPTION">
<metadataWrap mimeType="text/xml" textInfo="Acquisition Period" vocabularyName="Sentinel-SAFE">
<xmlData><safe:acquisitionPeriod><safe:startTime>{_stamp(product.sensing)}</safe:startTime>\
</safe:acquisitionPeriod></xmlData>
</metadataWrap>
</metadataObject>
</metadataSection>
<dataObjectSection>
{objects}
</dataObjectSection>
</xfdu:XFDU>
"""


def _mime(path: str) -> str:
    return "image/jp2" if path.endswith(".jp2") else "text/xml"


def cloud_gml(epsg: int, outlines: Sequence[tuple[str, Sequence[Sequence[tuple[float, float]]]]]) -> str:
    """Text of MSK_CLOUDS_B00.gml, the vector cloud mask of products before baseline 04.00.

    `outlines` are pairs of type (OPAQUE or CIRRUS) and the closed rings of a polygon, the outer one first, in
    UTM coordinates.
    """
    members = []
    for number, (kind, rings) in enumerate(outlines):
        lines = [" ".join(f"{x:.0f} {y:.0f}" for x, y in ring) for ring in rings]
        parts = "\n".join(
            f"<gml:{side}><gml:LinearRing><gml:posList "
            f'srsDimension="2">{line}</gml:posList></gml:LinearRing></gml:{side}>'
            for side, line in zip(["exterior"] + ["interior"] * (len(lines) - 1), lines, strict=True)
        )
        members.append(
            f'<eop:MaskFeature gml:id="{kind}.{number}">\n<eop:maskType '
            f'codeSpace="urn:gs2:S2PDGS:maskType">{kind}</eop:maskType>\n<eop:extentOf>\n<gml:Polygon '
            f'gml:id="{kind}.{number}_Polygon">\n{parts}\n'
            "</gml:Polygon>\n</eop:extentOf>\n</eop:MaskFeature>"
        )
    listed = "<eop:maskMembers>\n" + "\n".join(members) + "\n</eop:maskMembers>\n" if members else ""
    return f"""{_HEAD}<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" \
xmlns:gml="http://www.opengis.net/gml/3.2" gml:id="MSK_CLOUDS_B00">
<gml:name>MSK_CLOUDS_B00</gml:name>
<gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG::{epsg}"/></gml:boundedBy>
{listed}</eop:Mask>
"""
